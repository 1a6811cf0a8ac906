"""A group by the errors in cells in use alone: what is left of a difference without those in which nothing happens.

A cell is idle if nothing happens there in the training split (``bench.records.arrays.CellErrors``). On a city's grid
more than half of the cells may be, such as those in a river, and an error there counts in a mean over all cells as much
as any other.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from bench.analysis.channels import pooled
from bench.analysis.groups import Group, Summary
from bench.records.arrays import CellErrors, WindowErrors, stored, values_of


def in_use(group: Group) -> Group | None:
    """The same rows on data sets that have idle cells; None if there are none.

    The absolute errors of windows are over cells in use; all else, their squares and the scores, over all cells still.
    Left out are rows with a run from before errors were kept by cell, data sets whose channels differ in unit, and
    those in which every cell is idle.
    """
    cells = {key: _in_use(summary) for key, summary in pooled(group).cells.items() if _has_both(summary)}
    return replace(group, cells=cells) if cells else None


def cells_of(summary: Summary) -> list[CellErrors]:
    """The errors by cell of its runs that have them."""
    return [run.windows.cells for run in summary.runs if run.windows.cells]


def _has_both(summary: Summary) -> bool:
    """Whether every run knows idle cells and others."""
    known = cells_of(summary)
    return 0 < len(known) == len(summary.runs) and all(0 < cells.idle_share < 1 for cells in known)


def _in_use(summary: Summary) -> Summary:
    return replace(summary, runs=tuple(structs.replace(run, windows=_left(run.windows)) for run in summary.runs))


def _left(windows: WindowErrors) -> WindowErrors:
    if windows.cells is None:
        return windows
    absolute = values_of(windows.absolute) - values_of(windows.cells.idle_absolute)
    return structs.replace(windows, absolute=stored(absolute.clip(min=0)))  # below 0 by rounding alone
