"""The part of a suite's table that says how its rows differ where something happens; no verdict is drawn from it."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.analysis.differences import Differences, differences
from bench.analysis.groups import DataKey, Group, GroupKey, MethodKey
from bench.analysis.headers import dataset_headers, decimals, method_headers
from bench.analysis.in_use import cells_of, in_use
from bench.analysis.stats.comparison import Difference
from bench.analysis.table import Cell, Table
from bench.analysis.tables._columns import data_facts, method_facts
from bench.analysis.tables._differences import heading_of, signed
from bench.runs.suite import Suite
from bench.settings import RANDOM

NOTES: Final = (
    "A cell is idle if nothing happens there in the training split of the data: in every channel it has one and the "
    "same value. In the test part it may come alive. Such cells count in every other table, as they do in published "
    "ones. A model whose forecast is not exactly that value errs in each of them, and many small errors can turn a "
    "difference round.",
    "No verdict is drawn from these: MAE over all cells was declared, and the rule that leaves cells out was made when "
    "first results were known. Intervals are not corrected for the number of comparisons.",
)


@dataclass(frozen=True, kw_only=True)
class InUse:
    """A comparison without idle cells.

    Attributes:
        group: All of its rows.
        alone: Those whose records know idle cells.
        left: How these differ.
    """

    group: Group
    alone: Group
    left: Differences

    @property
    def rows(self) -> list[MethodKey]:
        """In the order of the group."""
        known = {method for data, method in self.alone.cells if data in self.left.datasets}
        return [method for method in self.group.methods if method in known]

    def facts(self, data: DataKey, method: MethodKey) -> dict[str, float]:
        """MAE over cells in use, and the shares of idle cells in the cells and in the errors: means over runs."""
        cells = cells_of(self.group.cells[data, method])
        return {
            name: statistics.fmean(getattr(each, name) for each in cells)
            for name in ("mae_in_use", "idle_error", "idle_share")
        }


def without_idle_cells(group: Group, compared: Differences, suite: Suite) -> InUse | None:
    """None where no data set has idle cells, or no run of the reference knows them."""
    alone = in_use(group)
    left = differences(alone, suite) if alone else None
    if alone is None or left is None or left.reference != compared.reference:
        return None
    return InUse(group=group, alone=alone, left=left)


def in_use_table(known: InUse, suite: Suite) -> Table:
    """MAE over cells in use, the difference there, and the share of the errors over all cells that idle ones have."""
    group, left, rows = known.group, known.left, known.rows
    datasets, methods = dataset_headers(group.datasets), method_headers(group.methods, group.naive)
    columns = [_column(known, data) for data in left.datasets]
    return Table(
        key="in-use",
        heading=f"Without idle cells. {heading_of(group, left, suite)}",
        corner="MAE over cells in use / % more than the reference, 95 % interval / % of all errors made in idle cells",
        rows=tuple(methods[method] for method in rows),
        columns=tuple(datasets[data] for data in left.datasets),
        cells=tuple(zip(*columns, strict=True)),
        notes=(*NOTES, f"Idle of the cells that count: {_shares(known)}."),
        text_flags=("random_weights",) if RANDOM & left.weights else (),
    )


def in_use_rows(key: GroupKey, known: InUse) -> list[dict[str, Any]]:
    """All that the table tells at full precision: one row for each of its cells that has numbers."""
    rows = []
    for data in known.left.datasets:
        for method in known.rows:
            if (data, method) in known.alone.cells:
                difference = known.left.cells.get((data, method))
                low, high = difference.interval if difference else (None, None)
                told = {"percent": difference.percent if difference else None, "low": low, "high": high}
                facts = {**known.facts(data, method), "reference": known.left.reference, **told}
                rows.append({**asdict(key), **data_facts(data), **method_facts(method), **facts})
    return rows


def _shares(known: InUse) -> str:
    headers = dataset_headers(known.group.datasets)
    some = dict(iter(known.alone.cells))  # of each data set a method
    shares = {data: known.facts(data, some[data])["idle_share"] for data in known.left.datasets}
    return ", ".join(f"{headers[data].text} {100 * share:.0f} %" for data, share in shares.items())


def _column(known: InUse, data: DataKey) -> list[Cell]:
    facts = {method: known.facts(data, method) for method in known.rows if (data, method) in known.alone.cells}
    places = decimals(min(fact["mae_in_use"] for fact in facts.values()))
    return [_cell(known, data, method, facts.get(method), places) for method in known.rows]


def _cell(known: InUse, data: DataKey, method: MethodKey, facts: dict[str, float] | None, places: int) -> Cell:
    summary = known.group.cells.get((data, method))
    if summary is None:
        return Cell(flags=("missing",))
    if facts is None:
        return Cell(value="not kept" if summary.runs else "", flags=summary.flags)
    difference = known.left.cells.get((data, method))
    what = "reference" if method.name == known.left.reference else _text(difference)
    value = f"{facts['mae_in_use']:.{places}f} / {what} / {100 * facts['idle_error']:.1f}"
    return Cell(value=value, flags=summary.flags)


def _text(difference: Difference | None) -> str:
    if difference is None:
        return "—"
    if difference.uncertainty is None:
        return signed(difference.percent)
    return f"{signed(difference.percent)} [{', '.join(map(signed, difference.interval))}]"
