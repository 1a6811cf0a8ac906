"""What the audits of all finished runs show, in one sentence each and run by run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap

from bench.analysis.budget import span
from bench.analysis.groups import Run
from bench.analysis.report.facts import code, done, method, row, table
from bench.analysis.table import Cell, Header, Table
from bench.records.forecast_audit import ForecastAudit
from bench.records.record import Audit, DoneRun

SHORT = 12  # characters of a digest
COLUMNS = (
    "task",
    "seed",
    "windows probed",
    "largest difference",
    "allowed",
    "draws",
    "fresh copy",
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
    audited = [(record, record.audit) for record in done(runs) if record.audit]
    return table("audits", "Run by run", "data set / model", COLUMNS, starmap(_row, audited))


def findings(runs: Sequence[Run]) -> list[str]:
    """What holds for the finished runs taken together, exceptions counted."""
    made = [record.audit for record in done(runs) if record.audit]
    elsewhere = [_elsewhere(number)] if (number := sum(record.external for record in done(runs))) else []
    if not made:
        return ["No run is finished, so there is no audit.", *elsewhere]
    fitted = [_within(audit.scaler_fitted_on, audit.split.train) for audit in made]
    return [
        *_forecasts([audit.forecasts for audit in made]),
        f"The scaler was fitted on the training part alone in {_of(fitted)}.",
        f"The test targets were opened exactly once in {_of([audit.test_reads == 1 for audit in made])}.",
        *elsewhere,
    ]


def _forecasts(audits: Sequence[ForecastAudit | None]) -> list[str]:
    known = [audit for audit in audits if audit is not None]
    sentences = []
    if known:
        apart = sum(audit.fresh_in == "process" for audit in known)
        sentences.append(
            f"In {_of([audit is not None for audit in audits])} finished runs some of the forecasts that were scored "
            f"were made again: of {span(audit.windows for audit in known)} test windows each alone, of the batches "
            "that these are from (at most three) in another order and once the model had forecast windows whose "
            "history holds their targets, and of these windows and as many of validation by a fresh copy with the same "
            f"weights, in a process of its own in {apart} of them. The largest difference of a scaled forecast was "
            f"{max(audit.largest for audit in known):.2g}."
        )
        if beside := len(known) - apart:
            sentences.append(
                f"In {beside} of them the fresh copy shared the process of the scored model, since no other process "
                "could be sent its class; there the audit cannot show memory outside the model."
            )
    if drawn := sum(audit.draws > 0 for audit in known):
        sentences.append(f"{drawn} were of models that are random on purpose, scored as the mean of seeded draws.")
    if older := len(audits) - len(known):
        sentences.append(f"Earlier versions made {older} of the records; their models were not audited in this way.")
    sentences.append(
        "This shows no use of neighbours in a batch, memory between calls or randomness. It cannot show that a model "
        "reads no file, searches no memory of its process, and does not know when it is audited."
    )
    return sentences


def _within(slots: tuple[int, int], others: tuple[int, int]) -> bool:
    """Few windows have a scaler of their own slots."""
    return others[0] <= slots[0] and slots[1] <= others[1]


def _of(holds: Sequence[bool]) -> str:
    return f"all {len(holds)}" if all(holds) else f"{sum(holds)} of {len(holds)}"


def _elsewhere(number: int) -> str:
    them = "is of forecasts that were" if number == 1 else "are of forecasts that were"
    return (
        f"{number} of the records {them} made elsewhere: their model never ran here, so nobody audited it, and nothing "
        "is claimed of it."
    )


def _row(record: DoneRun, audit: Audit) -> tuple[Header, tuple[Cell, ...]]:
    task, forecasts = record.spec.task, audit.forecasts
    probed = ("not audited in this way", "", "", "", "")
    if forecasts is not None:
        difference, allowed = f"{forecasts.largest:.2g}", f"{forecasts.tolerance:g}"
        copied_in = "a process of its own" if forecasts.fresh_in == "process" else "the scored model's process"
        probed = (str(forecasts.windows), difference, allowed, str(forecasts.draws or 1), copied_in)
    tuned = " (tuned)" if record.spec.tuned else ""
    return row(
        Header(name=f"{record.dataset} / {method(record)}{tuned}"),
        f"{task.name}, {task.protocol}, {record.label.profile}",
        str(record.seed),
        *probed,
        audit.scaler,
        *map(_range, (audit.scaler_fitted_on, audit.split.train, audit.split.val, audit.split.test)),
        str(audit.test_reads),
        code(audit.checkpoint_sha256[:SHORT]),
    )


def _range(slots: tuple[int, int]) -> str:
    return " to ".join(map(str, slots))
