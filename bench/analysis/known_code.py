"""Today's code of finished runs, as far as it is here."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from bench.catalog import imported, registry
from bench.catalog.code import code_digest, code_of_scoring, codes_of
from bench.catalog.own_files import VARIABLE
from bench.errors import ConfigError
from bench.records.record import DoneRun, Record
from bench.runs.own_code import PLUGINS

ELSEWHERE = ""  # in place of a model
REMEDY = f"name its file in {VARIABLE}, or copy {PLUGINS}/ of the results folder where they were made, too"


def known_codes(behind: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """``codes_of`` those whose model and data sets are here and can be read, for whoever looks at finished runs."""
    models = registry.model_names()
    return codes_of(sorted(names for names in set(behind) if names[1] in models), skip_unreadable=True)


def todays_code(records: Iterable[Record]) -> dict[tuple[str, ...], str]:
    """Today's digest by what records depend on (``answered_by``), of those whose model and data are registered."""
    read = [record for record in records if _can_be_read(record)]
    scored = {one.dataset for one in read if one.external}
    return {
        **known_codes(one.spec.behind for one in read if not one.external),
        **{(dataset, ELSEWHERE): code_of_scoring(dataset) for dataset in scored},
    }


def _can_be_read(record: Record) -> bool:
    """Whether its data sets are registered here, or imported, for which no code of the user's own is needed."""
    names, version = registry.dataset_names(), f"{imported.LAYOUT}-"
    return all(data.name in names or data.version.startswith(version) for data in record.spec.datasets)


def answered_by(record: Record) -> tuple[str, ...]:
    """Whose code a record depends on: forecasts that were made elsewhere depend on that of their scoring alone."""
    return (record.dataset, ELSEWHERE) if record.external else record.spec.behind


def undecided(records: Iterable[Record]) -> list[str]:
    """A sentence for each model of the user's own that has the same run by several codes, none of which is stale."""
    codes: dict[tuple[str, str], set[str]] = {}
    for record in records:
        own = registry.needs_own_file(record) or not _can_be_read(record)
        if isinstance(record, DoneRun) and not record.external and own:
            codes.setdefault((record.model, record.spec.spec_id), set()).add(record.code)
    several: dict[str, set[str]] = {}
    for (model, _), found in codes.items():
        if len(found) > 1:
            several.setdefault(model, set()).update(found)
    return [
        f"the runs of '{model}' are by {len(found)} versions of its code, and nothing says which is today's; {REMEDY}"
        for model, found in sorted(several.items())
    ]


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
