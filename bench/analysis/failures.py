"""Which failed runs still count."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from bench.analysis.groups import Run
from bench.records.record import DoneRun, FailedRun, Record
from bench.records.spec import changes
from bench.runs.plan import NO_CODE


def failures(runs: Iterable[Run]) -> list[FailedRun]:
    """The records of failed runs that are not mended: of the same specification no run, by other code, is finished.

    That of a model which could not even be planned has none of its settings, so any settings mend it.
    """
    known = [run.record for run in runs]
    finished = {record.spec.spec_id for record in known if isinstance(record, DoneRun)}
    failed = [one for one in known if isinstance(one, FailedRun) and one.spec.spec_id not in finished]
    unplanned = {one.spec.seed for one in failed if one.code == NO_CODE}
    mended = {
        _without_settings(one) for one in known if unplanned and isinstance(one, DoneRun) and one.spec.seed in unplanned
    }
    return [one for one in failed if one.code != NO_CODE or _without_settings(one) not in mended]


def _without_settings(record: Record) -> str:
    """What a run is known by, but of the model's settings those alone that are not its own defaults."""
    rows = sorted(changes(record.label.overrides))
    bare = structs.replace(record.spec, config={}, weights="none", weights_sha256=None)
    return " ".join([bare.spec_id, *rows])
