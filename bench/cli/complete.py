"""What the shell completes when Tab is pressed: names that are registered."""

from __future__ import annotations


def models(incomplete: str) -> list[str]:
    """Names of models that begin so."""
    from bench.catalog import registry

    return [name for name in registry.model_names() if name.startswith(incomplete)]


def datasets(incomplete: str) -> list[str]:
    """Names of data sets that begin so."""
    from bench.catalog import registry

    return [name for name in registry.dataset_names() if name.startswith(incomplete)]


def models_and_datasets(incomplete: str) -> list[str]:
    """Names of models and data sets that begin so."""
    return sorted({*models(incomplete), *datasets(incomplete)})


def suites(incomplete: str) -> list[str]:
    """Names of suites that begin so."""
    from bench.runs.suite import suite_names

    return [name for name in suite_names() if name.startswith(incomplete)]
