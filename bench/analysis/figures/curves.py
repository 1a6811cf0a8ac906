"""Figures of curves, one panel per data set: error by step, by epoch of training, and by time of day."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from bench.analysis.figures.panels import BACKGROUND, Looks, cast, leading, outer_labels, panels, plain_logarithm
from bench.analysis.grouping import Entry, Key, Row
from bench.analysis.results import Runs
from bench.analysis.tables.per_horizon import by_block, curves, mean_curve
from bench.analysis.tables.scores import block_title
from bench.errors import StoreError
from bench.records.window_errors import unpack_day
from bench.runs.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS_A_CURVE = 6
FEWEST_EPOCHS = 2  # that make a curve


def horizon_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """By block: MAE by step, a panel per data set; thick the mean, thin the seeds."""
    caption = "MAE at each step alone. Thick: mean over seeds; thin: seeds"
    figures = []
    for place, own in by_block(runs, layouts).items():
        if own:
            title, chosen = f"How does the error grow with the step of the forecast?\n{block_title(place)}", cast(own)
            grey = "." if chosen.others else "; grey: floors."  # of many lines the rule says what is grey
            figures.append(panels(title, caption + grey, own, chosen, _steps))
            outer_labels(figures[-1], "step of the forecast", "MAE")
    return figures


def learning_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """By block: validation MAE by epoch, a panel per data set; thick means, thin seeds, rings the best epochs."""
    caption = (
        "MAE on validation after each epoch (logarithmic). Thick: mean over seeds, as far as all were trained; thin: "
        "seeds; rings: each seed's best epoch, whose weights are scored on test. The training loss, of scaled "
        "values, shares no axis with it; the records hold it."
    )
    figures = []
    for place, own in by_block(runs, layouts).items():
        learnt = {key: trained for key, entry in own.items() if (trained := _trained(entry)).runs}
        if learnt:
            title = f"How does each model learn?\n{block_title(place)}"
            figures.append(panels(title, caption, learnt, cast(own), _epochs))
            outer_labels(figures[-1], "epoch", "validation MAE")
    return figures


def daily_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """By block: MAE by the target's time of day, a panel per data set, means over seeds."""
    caption = (
        "MAE of all test forecasts by the time of day that they are for (not at which they are made), all steps "
        "together, means over seeds; of the floors the best alone."
    )
    figures = []
    for place, own in by_block(runs, layouts).items():
        chosen = cast(own)
        chosen = replace(chosen, floors=tuple(leading(own, floors=True)[:1]))
        known = {key: entry for key, entry in own.items() if key[1] in chosen.named and daily_curve(entry)}
        if known:
            title = f"At what time of the day do the forecasts err?\n{block_title(place)}"
            figures.append(panels(title, caption, known, chosen, _hours, left_out=True))
            outer_labels(figures[-1], "hour of the day", "MAE")
    return figures


def learning_curve(run: Row) -> tuple[float, ...]:
    """Validation MAE after each epoch; empty for what is not trained by epochs.

    Raises:
        StoreError: If the record's curve is not one.
    """
    found = dict(run["curve"]).get("val_mae", ())
    try:
        values = tuple(float(value) for value in found)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the learning curve of the record {run['run_id']} cannot be read ({error}); move it away and run again"
        ) from error
    return values


def shared_mean(found: Sequence[Sequence[float]]) -> list[float]:
    """Mean over curves, place by place, to the end of the shortest."""
    return [fmean(values) for values in zip(*found, strict=False)]


def daily_curve(entry: Entry) -> tuple[float, ...]:
    """MAE by slot of the day, mean over the runs that keep it; NaN where nothing was forecast, empty without any.

    Raises:
        StoreError: If the errors of a record cannot be read.
    """
    found = [unpack_day(dict(run["windows"]), f"the record {run['run_id']}") for run in entry.runs]
    profiles = [
        [error / count if count else math.nan for error, count in zip(day.absolute, day.count, strict=True)]
        for day in found
        if day is not None
    ]
    return tuple(fmean(values) for values in zip(*profiles, strict=True))


def _trained(entry: Entry) -> Entry:
    return replace(entry, runs=tuple(run for run in entry.runs if len(learning_curve(run)) >= FEWEST_EPOCHS))


def _curves(
    axis: Axes,
    line: Key,
    seeds: Sequence[Sequence[float]],
    mean: Sequence[float],
    places: Callable[[int], Sequence[float]],
    looks: Looks,
) -> None:
    """One line: its seeds thin if it is named and has several, and their mean."""
    look = looks.get(line)
    if look is None:
        axis.plot(places(len(mean)), mean, **BACKGROUND)
        return
    for curve in seeds if len(seeds) > 1 else ():
        axis.plot(places(len(curve)), curve, color=look["color"], linewidth=0.4, alpha=0.6)
    axis.plot(places(len(mean)), mean, markevery=max(1, len(mean) // MARKS_A_CURVE), **look)


def _steps(axis: Axes, entries: Mapping[Key, Entry], looks: Looks) -> None:
    from matplotlib.ticker import MaxNLocator

    for line, entry in entries.items():
        _curves(axis, line, curves(entry), mean_curve(entry), _from_one, looks)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _epochs(axis: Axes, entries: Mapping[Key, Entry], looks: Looks) -> None:
    from matplotlib.ticker import MaxNLocator

    for line, entry in entries.items():
        found = [learning_curve(run) for run in entry.runs]
        _curves(axis, line, found, shared_mean(found), _from_one, looks)
        for curve in found if line in looks else ():
            best = min(range(len(curve)), key=lambda epoch: curve[epoch])
            axis.plot(best + 1, curve[best], "o", color=looks[line]["color"], markersize=6, markerfacecolor="none")
    axis.set_yscale("log")
    plain_logarithm(axis.yaxis)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _hours(axis: Axes, entries: Mapping[Key, Entry], looks: Looks) -> None:
    for line, entry in entries.items():
        mean = daily_curve(entry)
        _curves(axis, line, (), mean, _hours_of, looks)
    axis.set(xlim=(0, 24), xticks=range(0, 25, 6))
    axis.set_ylim(bottom=0)


def _from_one(count: int) -> Sequence[float]:
    return range(1, count + 1)


def _hours_of(count: int) -> Sequence[float]:
    """The middles of the slots of a day."""
    return [(slot + 0.5) * 24 / count for slot in range(count)]
