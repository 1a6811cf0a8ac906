"""What the leakage audits of all finished runs show, in one sentence each and run by run."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.groups import Run
from bench.analysis.report.facts import code, done, method, row, table
from bench.analysis.table import Cell, Header, Table
from bench.records.record import DoneRun

SHORT = 12  # characters of a digest
COLUMNS = (
    "task",
    "seed",
    "largest change",
    "windows probed",
    "scaler",
    "fitted on",
    "train",
    "validation",
    "test",
    "test opened",
    "checkpoint",
)


def audits(runs: Sequence[Run]) -> Table:
    """One row per finished run; ranges are slots from the start of the data, their ends left out."""
    return table("audits", "Run by run", "data set / model", COLUMNS, map(_row, done(runs)))


def findings(runs: Sequence[Run]) -> list[str]:
    """What holds for the finished runs taken together, exceptions counted."""
    made = [record.audit for record in done(runs)]
    if not made:
        return ["No run is finished, so there is no audit."]
    changes = [audit.future_perturbation.largest_change for audit in made]
    fitted = [audit.scaler_fitted_on == audit.split.train for audit in made]
    return [
        "When everything after a window's origin was replaced, no forecast changed at all in "
        f"{_of([change == 0 for change in changes])} finished runs. The largest change of a scaled forecast was "
        f"{max(changes):g}.",
        f"The scaler was fitted on the training part alone in {_of(fitted)}.",
        f"The test targets were opened exactly once in {_of([audit.test_reads == 1 for audit in made])}.",
    ]


def _of(holds: Sequence[bool]) -> str:
    return f"all {len(holds)}" if all(holds) else f"{sum(holds)} of {len(holds)}"


def _row(record: DoneRun) -> tuple[Header, tuple[Cell, ...]]:
    audit, task = record.audit, record.spec.task
    tuned = " (tuned)" if record.spec.tuned else ""
    return row(
        Header(name=f"{record.dataset} / {method(record)}{tuned}"),
        f"{task.name}, {task.protocol}, {record.label.profile}",
        str(record.seed),
        f"{audit.future_perturbation.largest_change:g}",
        str(audit.future_perturbation.windows),
        audit.scaler,
        *map(_range, (audit.scaler_fitted_on, audit.split.train, audit.split.val, audit.split.test)),
        str(audit.test_reads),
        code(audit.checkpoint_sha256[:SHORT]),
    )


def _range(slots: tuple[int, int]) -> str:
    return " to ".join(map(str, slots))
