"""Today's code of finished runs, as far as it is here."""

from __future__ import annotations

from collections.abc import Iterable

from bench.catalog import registry
from bench.catalog.code import codes_of, own_files_behind
from bench.catalog.plugins import Group
from bench.errors import ConfigError


def known_codes(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """``codes_of`` those whose model and data set are here and can be read, for whoever looks at finished runs."""
    wanted = set(pairs)
    models, readers = registry.model_names(), registry.dataset_names()
    files = {("model", model): model in models and _can_be_read("model", model) for _, model in wanted}
    files |= {("dataset", name): name not in readers or _can_be_read("dataset", name) for name, _ in wanted}
    return codes_of(sorted((name, model) for name, model in wanted if files["model", model] and files["dataset", name]))


def _can_be_read(group: Group, name: str) -> bool:
    try:
        own_files_behind(registry.find(group, name))
    except ConfigError:
        return False
    return True
