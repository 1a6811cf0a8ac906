"""Where forecasts err: truth, forecast and error of one test window that was chosen by rule when it was scored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.analysis.figures._panels import best_first, method_names
from bench.analysis.figures._style import SMALL, add_caption, is_narrow, new_figure, width_of_page
from bench.analysis.groups import Group, Summary
from bench.analysis.headers import dataset_headers
from bench.analysis.lines import wrapped
from bench.analysis.results import Results
from bench.analysis.table import MINUS
from bench.clock import slot_of_year
from bench.records.arrays import Floats, ForecastMap
from bench.types import MINUTES_PER_DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODELS, NARROW_MODELS = 4, 2  # beside the best naive baseline, on a page and in one column of it
COLUMNS, NARROW_COLUMNS = 4, 2  # forecast and error, twice a row or once
BARS = 1.25  # inches of both bars of colours
TALLEST = 8.8  # inches
OBLONG = 3  # a map is drawn at most so many times as wide as high, or as high as wide; its cells are stretched for it
LETTERS, BESIDE = 12, 16  # of an inch of a label, and of the small text beside the truth
TOO_LOW = 0.1  # of the error's scale: a cell forecast too low by more has a dot
QUANTILE = 0.99  # of the truth's cells, and of absolute errors: the ends of their scales
NARROW = 1.6  # inches: above a map of less two numbers do not fit in one line
GAP = "#e4e4e4"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NEEDS = "a finished run whose record holds a map"


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """One method's map.

    Attributes:
        name: Of the method, with its marks.
        seed: Of the run that made it.
        interval: Minutes of a slot; 0 where its record does not say.
    """

    name: str
    seed: int
    map: ForecastMap
    interval: int = 0

    @property
    def error(self) -> Floats:
        """``[H, W]``, forecast less truth; NaN where nothing counts."""
        return self.map.forecast_map - self.map.truth_map


def draw(results: Results) -> Iterator[Figure]:
    """A figure for each group and data set that has maps."""
    for group in results.done_groups():
        for data in group.datasets:
            forecasts = _chosen(group.on([data]))
            if forecasts:
                header = dataset_headers([data])[data]
                title = f"Where does each forecast err? {header.text}, one test window.\n{group.key.title}"
                yield _figure(title, forecasts)


def _chosen(group: Group) -> list[Forecast]:
    """The best naive baseline and the best models of one data set by MAE, all of the same window."""
    cells = {method: cell for (_, method), cell in group.cells.items()}
    names = method_names(group, group.stale)
    chosen: list[Forecast] = []
    for naive, most in ((True, 1), (False, NARROW_MODELS if is_narrow() else MODELS)):
        ordered = best_first(group, naive=naive)
        maps = [shown for method in ordered if (shown := _first_seed(names[method], cells[method]))]
        chosen += [shown for shown in maps if _same_window(shown.map, (chosen or maps)[0].map)][:most]
    return chosen


def _first_seed(name: str, cell: Summary) -> Forecast | None:
    """The map of the first seed that keeps one; None without a current run or a value that counts."""
    for run in sorted(cell.runs if cell.ranked else (), key=lambda run: (run.seed, run.run_id)):
        if run.forecast_map and np.isfinite(run.forecast_map.truth_map).any():
            return Forecast(name=name, seed=run.seed, map=run.forecast_map, interval=run.label.interval)
    return None


def _same_window(a: ForecastMap, b: ForecastMap) -> bool:
    return (a.origin, a.step, a.grid) == (b.origin, b.step, b.grid) and np.array_equal(
        a.truth_map, b.truth_map, equal_nan=True
    )


def _figure(title: str, forecasts: Sequence[Forecast]) -> Figure:
    height, width = forecasts[0].map.grid
    columns = NARROW_COLUMNS if is_narrow() else COLUMNS
    rows = math.ceil(2 * (1 + len(forecasts)) / columns)
    wide = (width_of_page() - BARS) / columns
    narrow = wide < NARROW
    head = 0.34 if narrow else 0.22
    tall = min(wide * _shape(height, width), TALLEST / rows - head)
    figure = new_figure(title, rows * (tall + head) + 0.1)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    _draw_maps(figure, axes, forecasts, narrow=narrow)
    axes[0, 1].text(0, 0.5, _what(forecasts[0], wide), transform=axes[0, 1].transAxes, va="center", fontsize=SMALL)
    add_caption(figure, _caption(forecasts), [title, *(shown.name for shown in forecasts)])
    return figure


def _draw_maps(figure: Figure, axes: Any, forecasts: Sequence[Forecast], *, narrow: bool) -> None:
    """The truth first, then forecast and error side by side, and a colour bar for both."""
    truth = forecasts[0].map.truth_map
    ends, limit = _ends(truth), _limit(forecasts)
    values = _draw_map(axes[0, 0], "truth", truth, "cividis", ends)
    for axis, beside, shown in zip(axes.flat[2::2], axes.flat[3::2], forecasts, strict=False):
        _draw_map(axis, shown.name, np.where(np.isnan(truth), np.nan, shown.map.forecast_map), "cividis", ends)
        errors = _draw_map(beside, _error_title(shown.error, narrow=narrow), shown.error, "RdBu_r", (-limit, limit))
        _draw_dots(beside, shown.error < -TOO_LOW * limit)
    unit = forecasts[0].map.unit or "no unit"
    bars = {f"error: forecast less truth, {unit}": (errors, "both")}
    bars[f"truth and forecast, {unit}"] = (values, _extend(forecasts, ends))  # the last stands next to the maps
    for pad, (label, (image, extend)) in zip((0.03, 0.01), bars.items(), strict=True):
        bar = figure.colorbar(image, ax=axes, location="right", shrink=0.9, extend=extend, fraction=0.05, pad=pad)
        bar.set_label(wrapped(label, int(LETTERS * figure.get_figheight()), cut=True))


def _draw_map(axis: Axes, name: str, values: Floats, colours: str, ends: tuple[float, float]) -> Any:
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[], facecolor=GAP)
    axis.set_title(name, fontsize=SMALL, pad=3)
    axis.spines[:].set_linewidth(0.4)
    height, width = values.shape
    cell = _shape(height, width) * width / height  # how many times as high as wide it is drawn
    return axis.imshow(values, cmap=colours, vmin=ends[0], vmax=ends[1], interpolation="nearest", aspect=cell)


def _shape(height: int, width: int) -> float:
    """How many times as high as wide a map of so many cells is drawn."""
    return min(max(height / width, 1 / OBLONG), OBLONG)


def _draw_dots(axis: Axes, cells: Any) -> None:
    """Printed in grey, red and blue look alike: the dots tell them apart."""
    rows, columns = np.nonzero(cells)
    axis.plot(columns, rows, ".", color="black", markersize=2.2, markeredgewidth=0)


def _ends(truth: Floats) -> tuple[float, float]:
    """Of the colours of truth and forecasts: the truth's range without the few largest cells that darken all others."""
    known = truth[np.isfinite(truth)]
    low, most, high = float(known.min()), float(np.quantile(known, QUANTILE)), float(known.max())
    return low, next((end for end in (most, high) if end > low), low + 1)


def _limit(forecasts: Sequence[Forecast]) -> float:
    errors = np.abs(np.stack([shown.error for shown in forecasts]))
    known = errors[np.isfinite(errors)]
    return float(np.quantile(known, QUANTILE)) or float(known.max()) or 1.0


def _extend(forecasts: Sequence[Forecast], ends: tuple[float, float]) -> str:
    """At which ends of the colours there are values beyond."""
    values = np.stack([forecasts[0].map.truth_map, *(shown.map.forecast_map for shown in forecasts)])
    below, above = bool((values < ends[0]).any()), bool((values > ends[1]).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def _error_title(error: Floats, *, narrow: bool) -> str:
    mean, mae = float(np.nanmean(error)), float(np.nanmean(np.abs(error)))
    return f"error: MAE {mae:.3g},{chr(10) if narrow else ' '}mean {mean:+.3g}".replace("-", MINUS)


def _when(forecast: Forecast) -> str:
    """The time of what is shown, such as "Monday, 08:30" or "Mar"."""
    shown = forecast.map
    if forecast.interval > MINUTES_PER_DAY:
        return slot_of_year(forecast.interval, shown.slot, known=shown.weekday is not None)
    hours, minutes = divmod(shown.slot * MINUTES_PER_DAY // shown.per_day, 60)
    day = f"{DAYS[shown.weekday]}, " if shown.weekday is not None else ""
    return f"{day}{hours:02d}:{minutes:02d}"


def _what(forecast: Forecast, width: float) -> str:
    """The time, step and channel, for the free place beside the truth, which is so many inches wide."""
    shown = forecast.map
    lines = (_when(forecast), f"step {shown.step} of the forecast", f"channel “{shown.channel}”")
    return "\n".join(wrapped(line, int(BESIDE * width), cut=True) for line in lines)


def _caption(forecasts: Sequence[Forecast]) -> str:
    shown, seeds = forecasts[0].map, {forecast.seed for forecast in forecasts}
    which = f"seed {min(seeds)}" if len(seeds) == 1 else "the first seed of each"
    gaps = " Light grey: no value that counts." if np.isnan(shown.truth_map).any() else ""
    return (
        f"{_when(forecasts[0])}, step {shown.step} of the forecast that begins with slot {shown.origin}; channel "
        f"“{shown.channel}”, {which}. Chosen by rule: the first scored test window whose truth has the largest total "
        "at its last step in the first channel; the best naive baseline and the best models by MAE over all of these. "
        f"Colours end where {100 * QUANTILE:.0f} % of the truth's cells and of all errors do; dots: forecasts too low "
        f"by more than {100 * TOO_LOW:.0f} % of the errors' scale.{gaps}"
    )
