"""At what time of the day forecasts err, or of the year where a step is a week or a month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from bench.analysis.figures._panels import Styles, best_first, draw_curve, highlighted, panels
from bench.analysis.groups import Group, MethodKey, Summary
from bench.analysis.results import Results
from bench.analysis.units import minutes_of
from bench.types import MINUTES_PER_DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Panel: TypeAlias = "Callable[[Axes, Mapping[MethodKey, Summary], Styles], None]"
CAPTION = (
    "MAE of all test forecasts by the time of {season} that they are for (not at which they are made), all steps "
    "together, means over seeds; of the naive baselines the best alone."
)


def draw(results: Results) -> Iterator[Figure]:
    """For each group: MAE by the target's time of day, a panel per data set, means over seeds; likewise of the year."""
    for group in results.pooled_groups():
        yearly = [data for data in group.datasets if minutes_of(group, data) > MINUTES_PER_DAY]
        daily = [data for data in group.datasets if data not in yearly]
        yield from _figure(group.on(daily) if yearly else group, "day", "hour of the day", _draw_day)
        yield from _figure(group.on(yearly), "year", "month of the year", _draw_year)


def _figure(group: Group, season: str, across: str, draw_panel: Panel) -> Iterator[Figure]:
    chosen = highlighted(group)
    others = len(chosen.methods) < len(group.methods)
    chosen = replace(chosen, naive=tuple(best_first(group, naive=True)[:1]), left_out=others)
    cells = {key: cell for key, cell in group.cells.items() if key[1] in chosen.methods and _by_slot(cell)}
    if cells:
        title = f"At what time of the {season} do the forecasts err?\n{group.key.title}"
        caption = CAPTION.format(season=season)
        yield from panels(replace(group, cells=cells), chosen, title, caption, draw_panel, (across, "MAE"))


def _by_slot(cell: Summary) -> Sequence[float]:
    """MAE by slot of the season, mean over the runs that keep it; NaN where nothing was forecast, empty without any."""
    days = [run.windows.day.mae for run in cell.runs if run.windows.day is not None]
    return [fmean(values) for values in zip(*days, strict=True)]


def _draw_day(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    _draw_curves(axis, cells, styles, 24)
    axis.set(xlim=(0, 24), xticks=range(0, 25, 6))
    axis.set_ylim(bottom=0)


def _draw_year(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    _draw_curves(axis, cells, styles, 12)
    axis.set(xlim=(0, 12), xticks=[month + 0.5 for month in range(0, 12, 3)], xticklabels=range(1, 13, 3))
    axis.set_ylim(bottom=0)


def _draw_curves(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles, length: int) -> None:
    """Over a season that is so long on the axis."""
    for method, cell in cells.items():
        mean = _by_slot(cell)
        middles = [(slot + 0.5) * length / len(mean) for slot in range(len(mean))]
        draw_curve(axis, styles.get(method), mean, x=middles)
