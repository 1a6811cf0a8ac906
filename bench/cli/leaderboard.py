"""What a plan shows when it ends: a small grid of errors, or a leaderboard where there are many methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape

from bench.cli.console import MOST_COLUMNS, grid, plain_table
from bench.errors import StoreError
from bench.settings import RANDOM

if TYPE_CHECKING:
    from bench.analysis.table import Table
    from bench.records.planned import PlannedRun
    from bench.records.record import DoneRun
    from bench.runs.suite import Suite


def outcome_of(plan: Sequence[PlannedRun], suite: Suite, results: Path) -> Group:
    """What came of this plan alone."""
    done = _finished(plan, results)
    if len({run.method for run in plan}) > MOST_COLUMNS and (tables := _leaderboards(done, suite)):
        return Group(*(part for table in tables for part in _shown(table)))
    return _grid(plan, done)


def leaderboards_with(results: Path, record: DoneRun) -> Group:
    """The leaderboard on a record's data set of the largest group that it stands in."""
    from bench.analysis.leaderboard import leaderboard
    from bench.analysis.results import Results

    groups = Results.load(results).plain_groups().values()
    ours = [
        group.on([data])
        for group in groups
        for (data, _), cell in group.cells.items()
        if record.run_id in {run.run_id for run in cell.runs}
    ]
    largest = max(ours, key=lambda group: (len(group.methods), group.key.profile == record.label.profile), default=None)
    table = None if largest is None else leaderboard(largest)
    return Group(*(() if table is None else _shown(table)))


def _finished(plan: Sequence[PlannedRun], results: Path) -> dict[str, DoneRun]:
    """The finished records of a plan, by the id of the run."""
    from bench.records.record import DoneRun
    from bench.records.store import ResultStore

    store, done = ResultStore(results), {}
    for run in plan:
        with suppress(StoreError):  # it is not there, or is no record
            record = store.read(run.dataset, run.model, run.run_id)
            if isinstance(record, DoneRun):
                done[record.run_id] = record
    return done


def _leaderboards(done: Mapping[str, DoneRun], suite: Suite) -> list[Table]:
    from bench.analysis.leaderboard import leaderboard
    from bench.analysis.results import Results

    groups = Results(done.values(), suites=[suite], code={}).groups(suite)
    return [table for group in groups.values() if (table := leaderboard(group)) is not None]


def _shown(table: Table) -> tuple[RenderableType, ...]:
    """A table whose rows are numbered, but those of forecasts made elsewhere, with its notes and marks below."""
    from bench.analysis.table import legend

    shown = plain_table(("", table.corner, *(column.name for column in table.columns)), folded=table.corner)
    shown.title = escape(table.heading)
    for column in (shown.columns[0], *shown.columns[2:]):
        column.justify = "right"
    numbers = count(1)
    for header, cells in zip(table.rows, table.cells, strict=True):
        name = f"{header.text} (naive)" if header.naive else header.text
        number = "—" if "external" in header.flags else str(next(numbers))
        shown.add_row(number, escape(name), *(escape(cell.text) for cell in cells))
    marks = legend([table])
    return shown, escape(" ".join([*table.notes, *([f"{marks}."] if marks else [])])), ""


def _grid(plan: Sequence[PlannedRun], done: Mapping[str, DoneRun]) -> Group:
    """Mean test MAE over seeds, data sets (and tasks, if several) x methods."""
    from bench.analysis.table import MARKS, marked

    several = len({run.spec.task.name for run in plan}) > 1
    scores: dict[tuple[str, str], list[float]] = {}
    for run in plan:
        dataset = marked(run.dataset, ["synthetic"] if run.spec.data.synthetic else [])
        method = marked(run.method, ["random_weights"] if run.spec.weights in RANDOM else [])
        row, record = f"{dataset} {run.spec.task.name}" if several else dataset, done.get(run.run_id)
        for name, channel in (record.cuts if record else {"": None}).items():
            values = scores.setdefault((f"{row}: {name}" if name else row, method), [])
            mae = record.score("mae", channel) if record else None
            values += [] if mae is None else [mae]
    shown = "".join(dataset + method for dataset, method in scores)
    notes = ((MARKS["synthetic"][0], "synthetic data"), (MARKS["random_weights"][0], "random weights"))
    caption = ", ".join(f"{mark} {note}" for mark, note in notes if mark in shown)
    texts = {key: f"{fmean(values):.4g}" if values else "—" for key, values in scores.items()}
    quick = any(run.label.profile == "quick" for run in plan)
    title = "test MAE, quick profile: a trial of the machinery, not to be quoted" if quick else "test MAE"
    return grid(texts, title, caption or None)
