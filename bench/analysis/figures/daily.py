"""At what time of the day forecasts err."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from bench.analysis.figures._panels import Styles, best_first, draw_curve, highlighted, panels
from bench.analysis.groups import MethodKey, Summary
from bench.analysis.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "MAE of all test forecasts by the time of day that they are for (not at which they are made), all steps "
    "together, means over seeds; of the naive baselines the best alone."
)


def draw(results: Results) -> Iterator[Figure]:
    """For each group: MAE by the target's time of day, a panel per data set, means over seeds."""
    for group in results.pooled_groups():
        chosen = highlighted(group)
        others = len(chosen.methods) < len(group.methods)
        chosen = replace(chosen, naive=tuple(best_first(group, naive=True)[:1]), left_out=others)
        cells = {key: cell for key, cell in group.cells.items() if key[1] in chosen.methods and _by_slot(cell)}
        if cells:
            title = f"At what time of the day do the forecasts err?\n{group.key.title}"
            labels = ("hour of the day", "MAE")
            yield panels(replace(group, cells=cells), chosen, title, CAPTION, _draw_panel, labels)


def _by_slot(cell: Summary) -> Sequence[float]:
    """MAE by slot of the day, mean over the runs that keep it; NaN where nothing was forecast, empty without any."""
    days = [run.windows.day.mae for run in cell.runs if run.windows.day is not None]
    return [fmean(values) for values in zip(*days, strict=True)]


def _draw_panel(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    for method, cell in cells.items():
        mean = _by_slot(cell)
        middles = [(slot + 0.5) * 24 / len(mean) for slot in range(len(mean))]
        draw_curve(axis, styles.get(method), mean, x=middles)
    axis.set(xlim=(0, 24), xticks=range(0, 25, 6))
    axis.set_ylim(bottom=0)
