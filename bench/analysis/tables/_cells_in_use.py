"""The part of a suite's table that says how its rows differ where something happens; no verdict is drawn from it."""

from __future__ import annotations

import statistics
from typing import Any

from bench.analysis.differences import Differences, differences
from bench.analysis.groups import DataKey, Group, MethodKey
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.in_use import cells_of, in_use
from bench.analysis.stats.comparison import Difference
from bench.analysis.table import Cell, Table
from bench.analysis.tables._differences import difference_rows, heading_of, signed
from bench.runs.suite import Suite
from bench.settings import RANDOM

NOTES = (
    "A cell is idle if nothing happens there in the training part of the data: in every channel it has one and the "
    "same value. Such cells count in every other table, as they do in published ones. A model that does not know "
    "places errs there, and small errors in many cells can turn a difference round.",
    "No verdict is drawn from these: MAE over all cells was declared. Intervals are not corrected for the number of "
    "comparisons.",
)


def cells_in_use(group: Group, compared: Differences, suite: Suite) -> list[Table]:
    """MAE over cells in use, the difference there, and the share of the errors over all cells that idle ones have.

    None of it where no data set has idle cells, or no run of the reference knows them.
    """
    alone = in_use(group)
    left = differences(alone, suite) if alone else None
    if alone is None or left is None or left.reference != compared.reference:
        return []
    datasets, methods = dataset_headers(group.datasets), method_headers(group.methods, group.naive)
    across = left.datasets
    down = [method for method in methods if any((data, method) in alone.cells for data in across)]
    shares = ", ".join(f"{datasets[data].text} {100 * _idle_share(alone, group, data):.0f} %" for data in across)
    table = Table(
        key="in-use",
        heading=f"Without idle cells. {heading_of(group, compared, suite)}",
        corner="MAE over cells in use / % more than the reference, 95 % interval / % of all errors made in idle cells",
        rows=tuple(methods[method] for method in down),
        columns=tuple(datasets[data] for data in across),
        cells=tuple(tuple(_cell(group, alone, left, data, method) for data in across) for method in down),
        notes=(*NOTES, f"Idle of the cells that count: {shares}."),
        text_flags=("random_weights",) if RANDOM & compared.weights else (),
    )
    return [table]


def in_use_rows(group: Group, suite: Suite) -> list[dict[str, Any]]:
    """The differences over cells in use at full precision, one row for each, without a verdict."""
    alone = in_use(group)
    left = differences(alone, suite) if alone else None
    return [{**row, "verdict": ""} for row in difference_rows(group.key, left)] if left else []


def _idle_share(alone: Group, group: Group, data: DataKey) -> float:
    known = next(group.cells[key] for key in alone.cells if key[0] == data)
    return cells_of(known)[0].idle_share


def _cell(group: Group, alone: Group, left: Differences, data: DataKey, method: MethodKey) -> Cell:
    summary = group.cells.get((data, method))
    if summary is None:
        return Cell(flags=("missing",))
    if (data, method) not in alone.cells:
        return Cell(value="not kept" if summary.runs else "", flags=summary.flags)
    mae = statistics.fmean(cells.mae_in_use for cells in cells_of(summary))
    idle = 100 * statistics.fmean(cells.idle_error for cells in cells_of(summary))
    return Cell(value=f"{mae:.2f} / {_text(left.cells.get((data, method)))} / {idle:.1f}", flags=summary.flags)


def _text(difference: Difference | None) -> str:
    if difference is None:
        return "—"
    if difference.uncertainty is None:
        return signed(difference.percent)
    return f"{signed(difference.percent)} [{', '.join(map(signed, difference.interval))}]"
