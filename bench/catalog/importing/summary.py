"""What an import understood, for the person who knows the data: spans, ranges, a small map and the rhythm of a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.imported import doubt_about_units, read_imported
from bench.catalog.importing.length import doubt_about_length
from bench.clock import MONTH, moment_of, slot_of_year, times_from
from bench.mapped import in_pieces
from bench.plain_text import counted
from bench.types import DatasetCard, RawSeries

BLOCKS: Final = ("░▒▓█", "▁▂▃▄▅▆▇█")  # of a map and of a profile
LETTERS: Final = (".:*#", "_.-=+*%#")  # where a terminal has no blocks
MOST_ROWS, MOST_COLUMNS = 12, 30  # of a map
MOST_BINS = 48  # of a profile
MOST_CHANNELS, FEW = 12, 3  # that have a line, and a picture

Grid = NDArray[np.float64]


@dataclass(frozen=True)
class ChannelFacts:
    """What one channel holds.

    Attributes:
        lowest: Its least value; ``after_lowest`` is the next one up, and ``at_lowest`` how many values are the least.
        highest: Likewise.
        nearest_below: The negative value that is nearest to zero; minus infinity if none is negative.
        values: How many are not missing.
        cell_means: ``[H, W]``, NaN where all is missing.
        profile: Means over cells and seasons, of each slot of the day or year, or of each day of the week if a day is
            one slot.
    """

    name: str
    unit: str
    lowest: float
    after_lowest: float
    at_lowest: int
    highest: float
    before_highest: float
    at_highest: int
    nearest_below: float
    mean: float
    values: int
    missing: int
    zeros: int
    cell_means: Grid
    profile: Grid


def understood(folder: Path, *, blocks: bool = True) -> tuple[str, list[str]]:
    """What lies in the folder of an import, as text of at most 80 columns, and what to doubt in it, in sentences."""
    card, series = read_imported(folder)
    facts = facts_of(card, series)
    text = text_of(card, facts, blocks=blocks)
    of_all = (doubt_about_length(card), doubt_about_times(card), doubt_about_units(card, series.values))
    return text, [doubt for doubt in (*of_all, *doubts(facts)) if doubt]


def doubt_about_times(card: DatasetCard) -> str:
    """A sentence where nobody knows when the slots were; else empty."""
    if card.start:
        return ""
    return (
        f"the times of {card.name} are unknown, so that hours and weekdays mean nothing; say start in the card, "
        "or bring times along: in the file, or as times= of bench.import_data"
    )


def facts_of(card: DatasetCard, series: RawSeries) -> list[ChannelFacts]:
    """What each channel of a data set holds, read a piece at a time."""
    cells = np.ones(card.grid, dtype=bool) if series.cell_mask is None else series.cell_mask
    tallies = [_Tally(card, cells) for _ in card.channels]
    done = 0
    for rows in in_pieces(series.values):
        clock = series.clock[done : done + len(rows)]
        for tally, values in zip(tallies, rows.swapaxes(0, 1), strict=True):
            tally.add(np.where(values == 0, np.nan, values) if card.zero_is_missing else values.copy(), clock)
        done += len(rows)
    named = zip(card.channels, card.units, tallies, strict=True)
    return [tally.facts(name, unit) for name, unit, tally in named]


def text_of(card: DatasetCard, facts: Sequence[ChannelFacts], *, blocks: bool = True) -> str:
    """Facts as plain text of at most 80 columns.

    Args:
        card: Of the data set.
        facts: Of its channels.
        blocks: Whether signs such as ▓ can be shown; letters take their place.
    """
    signs = BLOCKS if blocks else LETTERS
    pictures = (_picture(card, channel, signs, several=len(facts) > 1) for channel in facts[:FEW])
    return "\n".join([_head(card, facts), _ranges(facts), *pictures])


def doubts(facts: Sequence[ChannelFacts]) -> list[str]:
    """What may not be as it was meant, in sentences that say what to do."""
    sentences = []
    for channel in facts:
        for value, count, beside in (
            (channel.lowest, channel.at_lowest, channel.after_lowest),
            (channel.highest, channel.at_highest, channel.before_highest),
        ):
            if count > 1 and _stands_apart(channel, value, beside):
                share = 100 * count / channel.values
                sentences.append(
                    f"{count} values ({share:.2g} %) of '{channel.name}' are {value:g}, and {_apart(channel, value)}; "
                    f"if that marks a missing value, say missing = [{value:g}] in the card, and import again with "
                    "--force, or force=True"
                )
        if channel.values and channel.lowest == channel.highest:
            sentences.append(f"all values of '{channel.name}' are {channel.lowest:g}: there is nothing to forecast")
        if not channel.values:
            sentences.append(f"all values of '{channel.name}' are missing: there is nothing to forecast")
    return sentences


def _apart(channel: ChannelFacts, value: float) -> str:
    return "no other is negative" if value == channel.lowest == channel.nearest_below else "no other is near"


def _stands_apart(channel: ChannelFacts, value: float, beside: float) -> bool:
    """Whether an extreme value is the only negative one, or farther from the next than that from the other end."""
    if value == channel.lowest < 0 and channel.nearest_below == value and channel.highest > 0:
        return True
    other = channel.highest if value == channel.lowest else channel.lowest
    return abs(value) >= 99 and abs(value - beside) > abs(beside - other) > 0


class _Tally:
    """Counts and sums of one channel, over all pieces."""

    def __init__(self, card: DatasetCard, cells: NDArray[np.bool_]) -> None:
        self._per_day, self._cells = card.slots_per_day, cells
        self._low, self._high = _Extreme(), _Extreme()
        self._below = -np.inf
        self._missing = self._zeros = 0
        self._sum, self._count = np.zeros(card.grid), np.zeros(card.grid, np.int64)
        bins = self._per_day if self._per_day > 1 else 7
        self._profile, self._in_profile = np.zeros(bins), np.zeros(bins, np.int64)

    def add(self, values: NDArray[np.float32], clock: NDArray[np.int64]) -> None:
        values = np.where(self._cells, values, np.float32(np.nan))
        here = ~np.isnan(values)
        self._missing += len(values) * int(self._cells.sum()) - int(here.sum())
        self._zeros += int((values == 0).sum())
        known = values[here]
        self._low.add(known)
        self._high.add(-known)
        self._below = max(self._below, float(known[known < 0].max(initial=-np.inf)))
        sums, counts = np.nansum(values, axis=(1, 2), dtype=np.float64), here.sum(axis=(1, 2))
        self._sum += np.nansum(values, axis=0, dtype=np.float64)
        self._count += here.sum(axis=0)
        bins = clock[:, 0 if self._per_day > 1 else 1]
        self._profile += np.bincount(bins, sums, len(self._profile))
        self._in_profile += np.bincount(bins, counts, len(self._profile)).astype(np.int64)

    def facts(self, name: str, unit: str) -> ChannelFacts:
        count = int(self._count.sum())
        return ChannelFacts(
            name=name,
            unit=unit,
            lowest=self._low.value,
            after_lowest=self._low.after,
            at_lowest=self._low.count,
            highest=-self._high.value,
            before_highest=-self._high.after,
            at_highest=self._high.count,
            nearest_below=self._below,
            mean=float(self._sum.sum() / count) if count else np.nan,
            values=count,
            missing=self._missing,
            zeros=self._zeros,
            cell_means=_ratio(self._sum, self._count),
            profile=_ratio(self._profile, self._in_profile),
        )


class _Extreme:
    """The least value, how often it comes, and the next one."""

    def __init__(self) -> None:
        self.value, self.after, self.count = np.inf, np.inf, 0

    def add(self, values: NDArray[np.float32]) -> None:
        least = float(values.min(initial=np.inf))
        if least < self.value:
            self.value, self.after, self.count = least, self.value, 0
        larger = values[values > self.value]
        self.after = min(self.after, float(larger.min(initial=np.inf)))
        self.count += values.size - larger.size


def _ratio(sums: Grid, counts: NDArray[np.int64]) -> Grid:
    ratio: Grid = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return ratio


def duration(card: DatasetCard) -> str:
    """How long a data set lasts, such as "28 days", "1 day" or "2.5 years"."""
    number, season = f"{card.slots / card.slots_per_day:.3g}", "year" if card.yearly else "day"
    return f"{number} {season}" if number == "1" else f"{number} {season}s"


def _head(card: DatasetCard, facts: Sequence[ChannelFacts]) -> str:
    missing, values = (sum(getattr(channel, part) for channel in facts) for part in ("missing", "values"))
    step = "month" if card.interval == MONTH else "week"
    slots = counted(card.slots, step) if card.yearly else f"{card.slots} of {counted(card.interval, 'minute')}"
    if card.start:
        ends = times_from(moment_of(card.start), card.interval, np.array([0, card.slots - 1]))
        first, last = (time.astype("datetime64[s]").item() for time in ends)
        times = f"{first:%a %Y-%m-%d %H:%M} to {last:%a %Y-%m-%d %H:%M}"
    else:
        times = "unknown"
    lines = (
        ("times", times),
        ("slots", f"{slots}, {duration(card)}"),
        ("cells", f"{counted(card.grid[0], 'row')} x {counted(card.grid[1], 'column')}"),
        ("missing", f"{_percent(missing, missing + values)} ({missing} of {missing + values} values)"),
    )
    return "\n".join(f"  {name:<9}{text}" for name, text in lines)


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(1, whole)
    return "0 %" if not part else f"{share:.2g} %" if share < 99 else f"{share:.5g} %"


def _ranges(facts: Sequence[ChannelFacts]) -> str:
    rows: list[tuple[str, ...]] = [("channel", "unit", "lowest", "mean", "highest", "zeros", "missing")]
    rows += [
        (
            _cut(channel.name, 17),
            _cut(channel.unit, 10),
            *(f"{value:.5g}" for value in (channel.lowest, channel.mean, channel.highest)),
            _percent(channel.zeros, channel.values),
            _percent(channel.missing, channel.missing + channel.values),
        )
        for channel in facts[:MOST_CHANNELS]
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  " + "  ".join(text.ljust(width) if n < 2 else text.rjust(width) for n, (text, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    more = len(facts) - MOST_CHANNELS
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _picture(card: DatasetCard, channel: ChannelFacts, signs: tuple[str, str], *, several: bool) -> str:
    """A map and a profile, side by side."""
    of = f" of “{_cut(channel.name, 18)}”" if several else ""
    means = _smaller(channel.cell_means, MOST_ROWS, MOST_COLUMNS)
    wide = 2 if 2 * means.shape[1] <= MOST_COLUMNS else 1
    rows = ["".join(sign * wide for sign in _shaded(row, means, signs[0], " ")) for row in means]
    left = [f"mean{of} in each cell, row 0 on top", *(f"|{row}|" for row in rows)]
    right = _profile(card, channel, signs[1])
    height, width = max(len(left), len(right)), max(map(len, left)) + 3
    left, right = (column + [""] * (height - len(column)) for column in (left, right))
    beside = width + max(map(len, right)) <= 78
    if not beside:
        return "\n".join(f"  {line}" for line in (*filter(None, left), *filter(None, right)))
    return "\n".join(f"  {first:<{width}}{second}".rstrip() for first, second in zip(left, right, strict=True))


def _profile(card: DatasetCard, channel: ChannelFacts, signs: str) -> list[str]:
    """A row of bars over the day with its ends, and where it is lowest and highest."""
    profile = channel.profile
    if np.isnan(profile).all():
        return []
    short = _smaller(profile[None], 1, MOST_BINS)
    bars = "".join(_shaded(short[0], short, signs, " "))
    if card.yearly:
        title, ends = _of_the_year(card)
    elif card.slots_per_day == 1:
        title, ends = "mean of each day of the week", "Mo to Su"
    else:
        title = "mean by time of day" if card.start else "mean by time since the first slot"
        ends = f"{'00:00':<{max(6, len(bars) - 5)}}24:00"
    peak, least = (int(choose(profile)) for choose in (np.nanargmax, np.nanargmin))
    extremes = f"highest {profile[peak]:.4g}{_at(card, peak)}, lowest {profile[least]:.4g}{_at(card, least)}"
    return [title, bars, ends, *extremes.split(", ")]


def _of_the_year(card: DatasetCard) -> tuple[str, str]:
    """What a profile over the year shows, and its ends."""
    if not card.start:
        return "mean by time since the first slot, a year round", f"1 to {card.slots_per_day}"
    return ("mean of each month", "Jan to Dec") if card.interval == MONTH else ("mean by week of the year", "1 to 52")


def _at(card: DatasetCard, slot: int) -> str:
    if card.yearly:
        return f" in {slot_of_year(card.interval, slot, known=bool(card.start))}"
    if card.slots_per_day == 1:
        return f" on {('Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su')[slot]}"
    hours, minutes = divmod(slot * card.interval, 60)
    return f" at {hours:02d}:{minutes:02d}"


def _smaller(means: Grid, rows: int, columns: int) -> Grid:
    """Means of blocks, so that there are at most so many."""
    for axis, most in enumerate((rows, columns)):
        size = means.shape[axis]
        edges = np.linspace(0, size, min(size, most) + 1).astype(int)[:-1]
        known = ~np.isnan(means)
        sums = np.add.reduceat(np.where(known, means, 0), edges, axis=axis)
        means = _ratio(sums, np.add.reduceat(known.astype(np.int64), edges, axis=axis))
    return means


def _shaded(values: Grid, of: Grid, signs: str, absent: str) -> list[str]:
    """A sign for each value, from the least to the largest of all."""
    low, high = np.nanmin(of, initial=np.inf), np.nanmax(of, initial=-np.inf)
    scale = (len(signs) - 1) / (high - low) if high > low else 0.0
    return [absent if np.isnan(value) else signs[round((value - low) * scale)] for value in map(float, values)]
