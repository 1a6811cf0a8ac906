"""One picture of a data set: where it is busy, when, and how it moves."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bench.analysis.figures._files import plain_text, save
from bench.analysis.figures._style import BLUE, GREEN, ORANGE, PINK, WARNING
from bench.clock import moment_of, slot_of_year, span, times_from
from bench.types import DatasetCard, SpatioTemporalData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure, SubFigure

Days: TypeAlias = tuple[tuple[str, NDArray[np.bool_], str], ...]
"""Names of kinds of days, which slots are of them, and the style of their line."""
LINES = (BLUE, ORANGE, GREEN, PINK)
MAP = "viridis"
NO_CELL = "#d9d9d9"
MAPS = 4  # channels drawn at the most
WIDTH = 10.0  # inches, of all maps in a row
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = (8, 13, 19)  # of the sample frames
ON_SCREEN: Any = {
    "figure.titlesize": 12,
    **dict.fromkeys(("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), 10),
}


def draw_dataset(data: SpatioTemporalData, out: Path) -> Path:
    """Write mean maps, the profile of the day or year and three sample frames to the PNG ``out``.

    Returns:
        ``out``.
    """
    import matplotlib as mpl

    out.parent.mkdir(parents=True, exist_ok=True)
    with plain_text(), mpl.rc_context(ON_SCREEN):
        return save(_figure(data), out)


def _figure(data: SpatioTemporalData) -> Figure:
    from matplotlib.figure import Figure

    columns = max(len(HOURS), min(len(data.card.channels), MAPS))
    H, W = data.card.grid
    map_height = min(max(WIDTH / columns * H / W, 1.2), 4.0)
    figure = Figure(figsize=(WIDTH + 1.5, 2 * map_height + 5.6), dpi=120, layout="constrained")
    _title(figure, data)
    heights = (map_height + 0.7, 3.2, map_height + 0.7)
    top, middle, bottom = figure.subfigures(3, 1, squeeze=False, height_ratios=heights, hspace=0.04)[:, 0]
    _draw_means(top, data, columns)
    _draw_profile(middle, data)
    _draw_frames(bottom, data)
    return figure


def _title(figure: Figure, data: SpatioTemporalData) -> None:
    warning = "SYNTHETIC: " if data.identity.synthetic else ""
    colour = WARNING if data.identity.synthetic else "black"
    figure.suptitle(f"{warning}{data.card.title}", fontsize=14, color=colour, weight="bold")


def _draw_means(figure: SubFigure, data: SpatioTemporalData, columns: int) -> None:
    figure.suptitle("Mean of each cell")
    channels = data.card.channels[:columns]
    means = _mean(_valid(data), axis=0)[: len(channels)]  # [C, H, W]
    apart = data.card.units_differ
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for axis, name, mean, unit in zip(axes, channels, means, data.card.units, strict=False):
        image = _map(axis, mean, _norm(mean if apart else means))
        axis.set_title(name, fontsize=10)
        if apart:
            figure.colorbar(image, ax=axis, label=unit, extend="max", panchor=False)
    for axis in axes[len(channels) :]:
        axis.set_axis_off()
    if len(channels) < columns:
        free = axes[len(channels)]
        free.text(0, 0.5, _facts(data), transform=free.transAxes, va="center", fontsize=10, linespacing=1.5)
    if not apart:
        figure.colorbar(image, ax=axes[: len(channels)], label=data.card.units[0], extend="max", panchor=False)


def _facts(data: SpatioTemporalData) -> str:
    values = _valid(data)
    known = values[np.isfinite(values)]
    (H, W), cells = data.card.grid, int(data.cell_mask.sum())
    return "\n".join(
        (
            f"{H} x {W} grid" + (f", {cells} cells used" if cells < H * W else ""),
            f"{len(data.values)} slots of {span(data.card.interval)}",
            f"from {data.card.start}" if data.card.start else "calendar unknown",
            *([] if data.card.units_differ else [f"mean {known.mean():.4g}, largest {known.max():.4g}"]),
            f"zeros {np.mean(known == 0):.0%}, missing {1 - known.size / (values[:, :, data.cell_mask].size):.1%}",
        )
    )


def _draw_profile(figure: SubFigure, data: SpatioTemporalData) -> None:
    yearly = data.card.yearly
    figure.suptitle(f"Profile of the {'year' if yearly else 'day'}, mean of all cells")
    axis = figure.subplots()
    level, apart = _mean(_valid(data), axis=(2, 3)), data.card.units_differ  # [T, C]
    if apart:
        level = level / np.nanmean(np.abs(level), axis=0)
    slot, weekend = data.clock[:, 0], data.clock[:, 1] >= 5
    days: Days = (("all years" if yearly else "all days", slot >= 0, "-"),)
    if data.card.start is not None and not yearly:
        days = (("workdays", ~weekend, "-"), ("weekend", weekend, "--"))
    for name, colour, series in zip(data.card.channels, LINES, level.T, strict=False):
        for day, chosen, style in days:
            if chosen.any():
                across, profile = _profile(series[chosen], slot[chosen], data.card)
                axis.plot(across, profile, style, color=colour, label=f"{name}, {day}")
    unit = "relative to the channel's mean" if apart else data.card.units[0]
    if yearly:
        axis.set(xlim=(0, 12), xticks=[month + 0.5 for month in range(12)], xticklabels=range(1, 13))
    else:
        axis.set(xlim=(0, 24), xticks=range(0, 25, 4))
    of_year = "month of the year" if data.card.start else "month, from the first slot on"
    axis.set(xlabel=of_year if yearly else "hour of day", ylabel=unit)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", alpha=0.3)
    axis.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_frames(figure: SubFigure, data: SpatioTemporalData) -> None:
    figure.suptitle(f"Three frames of one {'year' if data.card.yearly else 'day'}: {data.card.channels[0]}")
    slots = sample_slots(data)
    frames = _valid(data)[slots, 0]
    norm = _norm(frames)
    axes = figure.subplots(1, len(slots), squeeze=False)[0]
    for axis, slot, frame in zip(axes, slots, frames, strict=True):
        image = _map(axis, frame, norm)
        axis.set_title(_when(data, slot), fontsize=10)
    figure.colorbar(image, ax=list(axes), label=data.card.units[0], extend="max", panchor=False)


def sample_slots(data: SpatioTemporalData) -> list[int]:
    """Slots at three hours of a workday, or thirds of a year, in the middle; spread evenly if there is no whole one."""
    season = data.card.slots_per_day
    begins = np.flatnonzero((data.clock[:, 0] == 0) & (data.clock[:, 1] < 5))
    whole = [t for t in begins if any(start <= t and t + season <= stop for start, stop in data.segments)]
    if not whole:
        return [int(t) for t in np.linspace(0, len(data.values) - 1, len(HOURS))]
    middle = int(whole[len(whole) // 2])
    if data.card.yearly:
        return [middle + third * season // 3 for third in range(3)]
    return [middle + hour * 60 // data.card.interval for hour in HOURS]


def _valid(data: SpatioTemporalData) -> NDArray[Any]:
    """The values, NaN where one is missing or the cell is padding."""
    known = data.cell_mask if data.mask is None else data.mask & data.cell_mask
    return np.where(known, data.values, np.float32(np.nan))


def _mean(values: NDArray[Any], axis: int | tuple[int, ...]) -> NDArray[Any]:
    """Mean of what is not NaN; NaN where nothing is left, without NumPy's warning."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=axis, dtype=np.float64)
    count = known.sum(axis=axis)
    mean: NDArray[Any] = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


def _profile(series: NDArray[Any], slot: NDArray[np.int64], card: DatasetCard) -> tuple[NDArray[Any], NDArray[Any]]:
    """Hours of the day, or months of the year, and the mean of each slot of it that occurs."""
    known = np.isfinite(series)
    count = np.bincount(slot[known], minlength=card.slots_per_day)
    total = np.bincount(slot[known], weights=series[known], minlength=card.slots_per_day)
    slots = np.arange(card.slots_per_day)
    across = (slots + 0.5) * (12 / card.slots_per_day) if card.yearly else slots * (card.interval / 60)
    return across[count > 0], total[count > 0] / count[count > 0]


def _norm(values: NDArray[Any]) -> Normalize:
    """A common colour scale; by the square root where a few cells outshine all others."""
    from matplotlib.colors import Normalize, PowerNorm

    known = values[np.isfinite(values)]
    if not known.size:
        return Normalize(0, 1)
    top = float(np.quantile(known, 0.995)) or float(known.max()) or 1.0
    if known.min() >= 0 and np.median(known) < 0.5 * known.mean():
        return PowerNorm(0.5, vmin=0, vmax=top)
    low = float(known.min())
    return Normalize(low, top if top > low else low + 1)


def _map(axis: Axes, values: NDArray[Any], norm: Normalize) -> Any:
    axis.set_facecolor(NO_CELL)
    axis.set(xticks=[], yticks=[])
    return axis.imshow(values, cmap=MAP, norm=norm, interpolation="nearest")


def _when(data: SpatioTemporalData, slot: int) -> str:
    if data.card.yearly:
        return _when_of_year(data, slot)
    minutes = int(data.clock[slot, 0]) * data.card.interval
    time = f"{minutes // 60:02d}:{minutes % 60:02d}"
    if data.card.start is None:
        return f"slot {slot}, {time}"
    if len(data.segments) > 1:
        return f"{WEEKDAYS[int(data.clock[slot, 1])]} {time}"
    return (
        f"{datetime.fromisoformat(data.card.start) + timedelta(minutes=slot * data.card.interval):%a %Y-%m-%d} {time}"
    )


def _when_of_year(data: SpatioTemporalData, slot: int) -> str:
    """The date of a slot, or its month or week where a gap or an unknown calendar leaves that alone."""
    card = data.card
    if card.start is None or len(data.segments) > 1:
        return slot_of_year(card.interval, int(data.clock[slot, 0]), known=card.start is not None)
    return str(times_from(moment_of(card.start), card.interval, np.array([slot]))[0])[:10]
