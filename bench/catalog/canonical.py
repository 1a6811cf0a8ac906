"""From a reader's series to the form that the harness computes with, after every check against the card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bench.clock import WEEK, step_in_words
from bench.errors import DataError
from bench.mapped import in_pieces
from bench.types import DataIdentity, DatasetCard, RawSeries, Segments, SpatioTemporalData

if TYPE_CHECKING:
    from numpy.typing import NDArray

SYNTHETIC = "synthetic-"  # begins the version of synthetic data


class Growing(Protocol):
    """An array that is filled from its first row to its last."""

    def add(self, rows: NDArray[Any]) -> None:
        """Put these rows behind those that are there."""

    def whole(self) -> NDArray[Any]:
        """The array, once it is full."""


class InMemory:
    """A growing array in memory."""

    def __init__(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> None:  # noqa: ARG002
        self._array, self._filled = np.empty(shape, dtype), 0

    def add(self, rows: NDArray[Any]) -> None:
        self._array[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def whole(self) -> NDArray[Any]:
        return self._array


Grow = Callable[[str, tuple[int, ...], type[np.generic]], Growing]
"""Begins an array of this name ("values" or "mask"), shape and type."""


def canonical(card: DatasetCard, raw: RawSeries, version: str, grow: Grow = InMemory) -> SpatioTemporalData:
    """Check a series against its card and bring it into the form that the harness computes with.

    A series of one channel is accepted for a card with several: UniST publishes one, and does not say which.

    Args:
        card: What is wanted.
        raw: What was read.
        version: Of the layout and its reader.
        grow: Where the values and the mask are put, piece by piece.

    Raises:
        DataError: If shape, clock, segments or values are not what the card says.
    """
    card = _card_of(card, raw)
    segments = raw.segments or ((0, len(raw.values)),)
    _check_clock(card, raw.clock, segments, len(raw.values))
    cell_mask = np.ones(card.grid, dtype=bool) if raw.cell_mask is None else np.array(raw.cell_mask, dtype=bool)
    if cell_mask.shape != card.grid or not cell_mask.any():
        raise DataError(f"{card.name} has a cell mask of shape {cell_mask.shape}; wanted {card.grid} with a cell in it")
    values, mask = _checked_values(card, raw, cell_mask, grow)
    clock = np.array(raw.clock, dtype=np.int64)
    sha256 = content_digest(card, values, mask, cell_mask, clock, segments)
    synthetic = version.startswith(SYNTHETIC)
    identity = DataIdentity(name=card.name, version=version, sha256=sha256, synthetic=synthetic)
    return SpatioTemporalData(
        card=card, identity=identity, values=values, mask=mask, cell_mask=cell_mask, clock=clock, segments=segments
    )


def _card_of(card: DatasetCard, raw: RawSeries) -> DatasetCard:
    shape, channels = raw.values.shape, len(card.channels)
    if len(shape) != 4 or not shape[0] or shape[1] not in (1, channels) or shape[2:] != card.grid:
        wanted = f"[T, {channels}, {card.grid[0]}, {card.grid[1]}]"
        raise DataError(
            f"{card.name} was read as {list(shape)}, but its card says {wanted}: correct the card or the file"
        )
    if len(card.units) != channels:
        raise DataError(f"{card.name} names {len(card.units)} units for {channels} channels: correct its card")
    return card_of_channels(card, shape[1])


def card_of_channels(card: DatasetCard, channels: int) -> DatasetCard:
    """The card of so many channels: all of its own, or one of them that is not known by name."""
    if channels == len(card.channels):
        return card
    return replace(card, channels=(" or ".join(card.channels),), unit=" or ".join(dict.fromkeys(card.units)))


def _check_clock(card: DatasetCard, clock: NDArray[Any], segments: Segments, slots: int) -> None:
    """Slots of the season must count on inside a segment, and the weekday change at midnight and only there."""
    if clock.shape != (slots, 2) or clock.dtype.kind not in "iu":
        raise DataError(f"{card.name} has a clock of shape {list(clock.shape)}; wanted whole numbers [{slots}, 2]")
    seasons = 1 if card.yearly else 7
    if clock.min() < 0 or clock[:, 0].max() >= card.slots_per_day or clock[:, 1].max() >= seasons:
        size = "year" if card.yearly else "day and 7 days a week"
        raise DataError(f"{card.name} has a clock outside {card.slots_per_day} slots a {size}: check the file")
    borders = [border for segment in segments for border in segment]
    if borders != sorted(borders) or borders[0] or borders[-1] != slots or borders[1:-1:2] != borders[2::2]:
        raise DataError(f"{card.name} has segments that do not tile its {slots} slots: correct its reader")
    stray = np.setdiff1d(_jumps(card, clock, seasons), borders)
    if stray.size:
        raise DataError(
            f"{card.name} has a clock that jumps from {clock[stray[0] - 1].tolist()} to {clock[stray[0]].tolist()} at "
            f"slot {stray[0]}; wanted consecutive slots of {step_in_words(card.interval)}"
        )


def _jumps(card: DatasetCard, clock: NDArray[Any], seasons: int) -> NDArray[np.int64]:
    """Slots whose clock is not the next one; the last week of a year may come twice."""
    slot_of_season = clock[:, 1].astype(np.int64) * card.slots_per_day + clock[:, 0]
    follows = np.diff(slot_of_season) % (seasons * card.slots_per_day) == 1
    if card.interval == WEEK:
        follows |= (slot_of_season[1:] == slot_of_season[:-1]) & (slot_of_season[1:] == card.slots_per_day - 1)
    return np.flatnonzero(~follows) + 1


def _checked_values(
    card: DatasetCard, raw: RawSeries, cell_mask: NDArray[np.bool_], grow: Grow
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    shape, filled = raw.values.shape, 0
    check, values, mask = _Check(card, cell_mask), grow("values", shape, np.float32), None
    for rows in in_pieces(raw.values):
        piece, missing = check.checked(rows)
        values.add(piece)
        if mask is None and missing.any():  # nothing was until here
            mask = grow("mask", shape, np.bool_)
            for before in _all_true((filled, *shape[1:])):
                mask.add(before)
        if mask is not None:
            mask.add(~missing)
        filled += len(rows)
    check.finish()
    return values.whole(), None if mask is None else mask.whole()


def _all_true(shape: tuple[int, ...]) -> Iterator[NDArray[np.bool_]]:
    return in_pieces(np.broadcast_to(np.True_, shape))


@dataclass
class _Check:
    """Holds values against a card, piece by piece."""

    card: DatasetCard
    cell_mask: NDArray[np.bool_]
    negative: int = 0
    lowest: float = 0.0
    observed: bool = False

    def checked(self, rows: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Rows ``[t, C, H, W]`` as they are kept, and where they are missing.

        Raises:
            DataError: If a value is infinite.
        """
        card, padding = self.card, ~self.cell_mask
        with np.errstate(over="ignore"):
            values = np.array(rows, dtype=np.float32, order="C")
        values[:, :, padding] = 0
        if np.isinf(values).any():
            raise DataError(
                f"{card.name} holds infinite values, or too large ones for float32; wanted finite {_unit(card)}"
            )
        if card.nonnegative and (below := values < 0).any():
            self.negative += int(below.sum())
            self.lowest = min(self.lowest, float(np.nanmin(values)))
        missing = np.isnan(values)
        if card.zero_is_missing:
            missing |= values == 0
        missing[:, :, padding] = False
        self.observed = self.observed or not missing[:, :, self.cell_mask].all()
        values[missing] = 0
        return values, missing

    def finish(self) -> None:
        """To be called after the last piece.

        Raises:
            DataError: If values were negative that must not be, or all of them are missing.
        """
        card = self.card
        if self.negative:
            raise DataError(
                f"{card.name} holds {self.negative} negative values down to {self.lowest:g}; wanted none in "
                f"{_unit(card)}: get the official file"
            )
        if not self.observed:
            raise DataError(f"{card.name} holds no value at all, everything is missing: get the official file")


def _unit(card: DatasetCard) -> str:
    return ", ".join(dict.fromkeys(card.units))


def content_digest(
    card: DatasetCard,
    values: NDArray[np.float32],
    mask: NDArray[np.bool_] | None,
    cell_mask: NDArray[np.bool_],
    clock: NDArray[np.int64],
    segments: Segments,
) -> str:
    """Digest of all that a run can see of a data set, and of what its scores are counted by."""
    header = [values.shape, card.channels, segments, mask is None, float(card.mape_threshold)]
    header += [card.units] if card.units_differ else []  # then scores are of each channel alone
    digest = hashlib.sha256(json.dumps(header).encode())
    for array in (values, clock, cell_mask, *(() if mask is None else (mask,))):
        for rows in in_pieces(array):
            digest.update(np.ascontiguousarray(rows).data)
    return digest.hexdigest()
