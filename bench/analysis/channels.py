"""Data sets whose channels differ in unit, such as flow and speed: the one rule for them.

Their scores stand in the tables of suites channel by channel. Nothing pooled is shown or ranked, so they take no part
in rankings over data sets, nor in tables and figures of one error of a run. Comparisons with a reference are of errors
in units of the scaler, the standard deviation of a channel in training: these may be added (``WindowErrors``).
"""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.grouping import beside_naive
from bench.analysis.groups import DataKey, Group


def split_by(group: Group) -> dict[DataKey, dict[str, int | None]]:
    """The channels of each data set that have scores of their own, by name; "" and None for all together."""
    known: dict[DataKey, dict[str, int | None]] = {data: {"": None} for data in group.datasets}
    for (data, _), cell in group.cells.items():
        known[data] = next((run.cuts for run in cell.runs if len(run.cuts) > 1), known[data])
    return known


def pooled(group: Group) -> Group:
    """The cells of data sets that have scores over all of their channels."""
    return group.on({data for data, cuts in split_by(group).items() if len(cuts) == 1})


def by_channel(group: Group) -> Group:
    """Every cell, and a cell for each channel of a data set whose channels differ in unit."""
    cuts = split_by(group)
    if all(len(names) == 1 for names in cuts.values()):
        return group
    cells = {
        (replace(data, channel=name), method): replace(cell, channel=channel)
        for (data, method), cell in group.cells.items()
        for name, channel in cuts[data].items()
    }
    return replace(group, cells=beside_naive(cells))
