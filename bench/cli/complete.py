"""What the shell completes when Tab is pressed: names, but for those of variants, which have spaces."""

from __future__ import annotations

from collections.abc import Iterable


def models(incomplete: str) -> list[str]:
    """Names of models that begin so."""
    from bench.catalog import registry

    return _beginning(incomplete, registry.model_names())


def datasets(incomplete: str) -> list[str]:
    """Names of data sets that begin so."""
    from bench.catalog import registry

    return _beginning(incomplete, registry.dataset_names())


def models_and_datasets(incomplete: str) -> list[str]:
    """Names of models and data sets that begin so."""
    return sorted({*models(incomplete), *datasets(incomplete)})


def suites(incomplete: str) -> list[str]:
    """Names of suites that begin so."""
    from bench.runs.suite import suite_names

    return _beginning(incomplete, suite_names())


def tasks(incomplete: str) -> list[str]:
    """Names of tasks that begin so."""
    from bench.settings import TASKS

    return _beginning(incomplete, TASKS)


def profiles(incomplete: str) -> list[str]:
    """Names of profiles that begin so."""
    from bench.runs.profiles import PROFILES

    return _beginning(incomplete, PROFILES)


def pretrained(incomplete: str) -> list[str]:
    """Names of pre-trained models that begin so."""
    from bench.cli.weights import pretrained

    return _beginning(incomplete, pretrained())


def tables(incomplete: str) -> list[str]:
    """Names of tables that begin so, and of suites, which have one each."""
    from bench.analysis.results import artefacts

    return [*suites(incomplete), *_beginning(incomplete, artefacts("tables"))]


def figures(incomplete: str) -> list[str]:
    """Names of figures that begin so, and of suites, which may have some each."""
    from bench.analysis.results import artefacts

    return [*suites(incomplete), *_beginning(incomplete, artefacts("figures"))]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
