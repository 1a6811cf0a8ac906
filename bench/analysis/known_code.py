"""Today's code of finished runs, as far as it is here."""

from __future__ import annotations

from collections.abc import Iterable

from bench.catalog import registry
from bench.catalog.code import code_digest, codes_of, own_files_behind
from bench.catalog.plugins import Group
from bench.errors import ConfigError


def known_codes(behind: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """``codes_of`` those whose model and data sets are here and can be read, for whoever looks at finished runs."""
    wanted = set(behind)
    models, readers = registry.model_names(), registry.dataset_names()
    datasets = {name for names in wanted for name in (names[0], *names[2:])}
    files = {("model", model): model in models and _can_be_read("model", model) for _, model, *_ in wanted}
    files |= {("dataset", name): name not in readers or _can_be_read("dataset", name) for name in datasets}
    known = (
        names
        for names in wanted
        if files["model", names[1]] and all(files["dataset", name] for name in (names[0], *names[2:]))
    )
    return codes_of(sorted(known))


def known_own_readers() -> dict[str, str]:
    """Digests of the readers that do not come with the project, by the name of the data set; of those that can be read.

    Runs may have been trained on their data first, which the folders of records do not say.
    """
    own = (name for name in registry.dataset_names() if not registry.comes_with_the_project("dataset", name))
    readers = (registry.find("dataset", name) for name in own if _can_be_read("dataset", name))
    return {reader.name: code_digest((), [reader]) for reader in readers}


def _can_be_read(group: Group, name: str) -> bool:
    try:
        own_files_behind(registry.find(group, name))
    except ConfigError:
        return False
    return True
