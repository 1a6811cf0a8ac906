"""Today's code of finished runs, as far as it is here."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from bench.catalog import registry
from bench.catalog.code import code_digest, codes_of
from bench.errors import ConfigError


def known_codes(behind: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """``codes_of`` those whose model and data sets are here and can be read, for whoever looks at finished runs."""
    models = registry.model_names()
    return codes_of(sorted(names for names in set(behind) if names[1] in models), skip_unreadable=True)


def known_own_readers() -> dict[str, str]:
    """Digests of the readers that do not come with the project, by the name of the data set; of those that can be read.

    Runs may have been trained on their data first, which the folders of records do not say.
    """
    digests = {}
    for name in registry.dataset_names():
        if not registry.comes_with_the_project("dataset", name):
            with suppress(ConfigError):
                digests[name] = code_digest((), [registry.find("dataset", name)])
    return digests
