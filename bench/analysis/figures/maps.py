"""Forecast maps: truth, forecast and error of one test window that was chosen by rule when it was scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.analysis.figures.differences import fill_lines, legend
from bench.analysis.figures.panels import leading, texts
from bench.analysis.grouping import Entries, Entry
from bench.analysis.results import Runs
from bench.analysis.table import MINUS
from bench.analysis.tables.per_horizon import by_block
from bench.analysis.tables.scores import block_title, dataset_headers
from bench.records.sample import Sample, unpack
from bench.runs.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODELS = 4  # beside the best floor: two a row
COLUMNS = 4  # forecast and error, twice
TOLD = 0.1  # of the error's scale: a cell forecast too low by more has a dot
QUANTILE = 0.99  # of the truth's cells, and of absolute errors: the ends of their scales
NARROW = 1.6  # inches: above a map of less two numbers do not fit in one line
GAP = "#e4e4e4"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One model's map.

    Attributes:
        name: With its marks.
        seed: Of the run that made it.
    """

    name: str
    seed: int
    sample: Sample

    @property
    def error(self) -> Any:
        """``[H, W]``, forecast less truth; NaN where nothing counts."""
        return self.sample.forecast - self.sample.truth


@dataclass(frozen=True, kw_only=True)
class Colours:
    """A scale of colours, and the values at its ends."""

    name: str
    low: float
    high: float


def map_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """A figure per block and data set that has maps.

    Raises:
        StoreError: If the sample of a record cannot be read.
    """
    figures = []
    for place, own in by_block(runs, layouts).items():
        for data in sorted({key for key, _ in own}):
            entries = {key: entry for key, entry in own.items() if key[0] == data}
            if chosen := chosen_maps(entries):
                (header,) = dataset_headers([data])
                title = f"Where does each forecast err? {header.text}, one test window\n{block_title(place)}"
                figures.append(_figure(title, chosen))
    return figures


def chosen_maps(entries: Entries) -> list[Shown]:
    """The best floor and the best models of one data set, by MAE, each its first seed; all of the same window."""
    by_line = {line: entry for (_, line), entry in entries.items()}
    names = texts(sorted(by_line))
    found: list[Shown] = []
    for floors, most in ((True, 1), (False, MODELS)):
        maps = [one for line in leading(entries, floors=floors) if (one := _shown(names[line], by_line[line]))]
        found += [one for one in maps if _same_window(one, (found or maps)[0])][:most]
    return found


def _shown(name: str, entry: Entry) -> Shown | None:
    """The map of the first seed that keeps one; None without a current run or a value that counts."""
    for run in sorted(entry.runs if entry.ranked else (), key=lambda run: (run["seed"], run["run_id"])):
        if run["sample"]:
            sample = unpack(dict(run["sample"]), f"the record {run['run_id']}")
            if np.isfinite(sample.truth).any():
                return Shown(name=name, seed=run["seed"], sample=sample)
    return None


def _same_window(one: Shown, other: Shown) -> bool:
    a, b = one.sample, other.sample
    return (a.origin, a.step) == (b.origin, b.step) and np.array_equal(a.truth, b.truth, equal_nan=True)


def _figure(title: str, chosen: Sequence[Shown]) -> Figure:
    from matplotlib.figure import Figure

    truth = chosen[0].sample.truth
    height, width = truth.shape
    rows = math.ceil((1 + len(chosen)) / 2)
    wide = 1.75 if width >= height else 1.75 * max(0.5, width / height)
    tall = wide * height / width
    size = (COLUMNS * wide + 1.5, rows * (tall + (0.36 if wide < NARROW else 0.22)) + 1.4)
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    figure.suptitle(fill_lines(title, size[0]), fontsize=10)
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    scale, limit = _scale(truth), _limit(chosen)
    around = Colours(name="RdBu_r", low=-limit, high=limit)
    drawn = _map(axes[0, 0], "truth", truth, scale)
    for number, each in enumerate(chosen, start=1):
        row, column = number // 2, 2 * (number % 2)
        pair = axes[row, column], axes[row, column + 1]
        _map(pair[0], each.name, np.where(np.isnan(truth), np.nan, each.sample.forecast), scale)
        wrong = _map(pair[1], _error_title(each.error, narrow=wide < NARROW), each.error, around)
        _dots(pair[1], each.error < -TOLD * limit)
    unit = chosen[0].sample.unit or "no unit"
    bars = [
        figure.colorbar(each, ax=axes, location="right", shrink=0.9, extend=extend, fraction=0.05, pad=0.01)
        for each, extend in ((wrong, "both"), (drawn, _extend(chosen, scale)))  # the last stands next to the maps
    ]
    for bar, name in zip(bars, (f"error: forecast less truth, {unit}", f"truth and forecast, {unit}"), strict=True):
        bar.set_label(name, fontsize=7)
        bar.ax.tick_params(labelsize=7)
    figure.supxlabel(fill_lines(_caption(chosen, title), size[0]), fontsize=8)
    return figure


def _map(axis: Axes, name: str, values: Any, colours: Colours) -> Any:
    axis.set_axis_on()
    axis.set(xticks=[], yticks=[], facecolor=GAP)
    axis.set_title(name, fontsize=7.5, pad=3)
    axis.spines[:].set_linewidth(0.4)
    return axis.imshow(values, cmap=colours.name, vmin=colours.low, vmax=colours.high, interpolation="nearest")


def _dots(axis: Axes, cells: Any) -> None:
    """Printed in grey, red and blue look alike: the dots tell them apart."""
    rows, columns = np.nonzero(cells)
    axis.plot(columns, rows, ".", color="black", markersize=2.2, markeredgewidth=0)


def _scale(truth: Any) -> Colours:
    """The truth's own range without its few largest cells, which would leave all others dark."""
    known = truth[np.isfinite(truth)]
    low, most, high = float(known.min()), float(np.quantile(known, QUANTILE)), float(known.max())
    return Colours(name="cividis", low=low, high=next((end for end in (most, high) if end > low), low + 1))


def _limit(chosen: Sequence[Shown]) -> float:
    found = np.concatenate([np.abs(each.error)[np.isfinite(each.error)] for each in chosen])
    return float(np.quantile(found, QUANTILE)) or float(found.max()) or 1.0


def _extend(chosen: Sequence[Shown], scale: Colours) -> str:
    """At which ends of the scale values go beyond it."""
    values = np.stack([chosen[0].sample.truth, *(each.sample.forecast for each in chosen)])
    below, above = bool((values < scale.low).any()), bool((values > scale.high).any())
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def _error_title(error: Any, *, narrow: bool) -> str:
    mean, mae = float(np.nanmean(error)), float(np.nanmean(np.abs(error)))
    return f"error: MAE {mae:.3g},{chr(10) if narrow else ' '}mean {mean:+.3g}".replace("-", MINUS)


def _caption(chosen: Sequence[Shown], title: str) -> str:
    sample = chosen[0].sample
    minutes = sample.slot * 1440 // sample.per_day
    day = f"{DAYS[sample.weekday]}, " if sample.weekday is not None else ""
    seeds = sorted({each.seed for each in chosen})
    named = f"seed {seeds[0]}" if len(seeds) == 1 else "the first seed of each"
    parts = (
        f"Step {sample.step} of the forecast from slot {sample.origin}: {day}{minutes // 60:02d}:{minutes % 60:02d}, "
        f"channel “{sample.channel}”, {named}.",
        "Chosen by rule: the first test window whose truth has the largest total at its last step in the first "
        "channel; the best floor and the best models by MAE over all test windows.",
        f"Colours end where {100 * QUANTILE:.0f} % of the truth's cells and of all errors do; dots: forecasts too low "
        f"by more than {100 * TOLD:.0f} % of the errors' scale.",
        "Light grey: no value that counts." if np.isnan(sample.truth).any() else "",
        legend([title, *(each.name for each in chosen)]),
    )
    return " ".join(" ".join(parts).split())
