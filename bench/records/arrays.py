"""Arrays inside a record, as little-endian float32: errors of windows, errors by time of day, and one forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from bench.errors import TrainingError

STORED = np.dtype("<f4")
Slot: TypeAlias = Annotated[int, Meta(ge=0, lt=2**40)]  # far beyond any data, and safe in 64 bits
Size: TypeAlias = Annotated[int, Meta(ge=1, lt=2**40)]
Floats: TypeAlias = NDArray[np.float64]

RULE = (
    "of all test windows that are scored the first whose truth has the largest total at the last step in the first "
    "channel; missing values and cells that do not count are 0"
)
"""How the window of ``ForecastMap`` is chosen: by the truth alone, so that it is the same for every model."""


class DayErrors(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over all test windows, steps, channels and cells that count, by the target's slot of the day.

    Attributes:
        count: Number of values, ``[S]`` for S slots of a day.
        absolute: Sums of absolute errors, ``[S]``, in the units of ``WindowErrors``.
    """

    count: bytes
    absolute: bytes

    @classmethod
    def of(cls, *, count: Floats, absolute: Floats) -> DayErrors:
        """Raises TrainingError if a sum is too large to be kept."""
        return cls(count=_kept(count), absolute=_kept(absolute))

    @property
    def mae(self) -> Floats:
        """Mean absolute error ``[S]``; NaN where nothing was forecast."""
        return _ratio(values_of(self.absolute), values_of(self.count))


class CellErrors(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over all test windows, steps and channels that count, by cell, in the units of ``WindowErrors``.

    Attributes:
        grid: (H, W).
        count: Number of values, ``[H, W]``; 0 where a cell counts nowhere, as padding does.
        absolute, square: Sums of absolute and of squared errors, ``[H, W]``.
        idle: 1 for a cell in which nothing happens in the training split, ``[H, W]``: in every channel it has one and
            the same value there, whatever share of that split is trained on. 0 for any other, and for one of which no
            value is known.
        idle_absolute: Sums of absolute errors over the idle cells of each window, ``[N]``; empty where none is idle.
    """

    grid: tuple[Size, Size]
    count: bytes
    absolute: bytes
    square: bytes
    idle: bytes
    idle_absolute: bytes

    @classmethod
    def of(cls, sums: Mapping[str, Floats]) -> CellErrors:
        """From an array for each name but ``grid``. Raises TrainingError if a sum is too large to be kept."""
        rows, columns = sums["count"].shape
        known = sums if (sums["idle"] * sums["count"]).any() else {**sums, "idle_absolute": np.empty(0)}
        return cls(grid=(rows, columns), **{name: _kept(values) for name, values in known.items()})

    def __post_init__(self) -> None:
        cells = self.grid[0] * self.grid[1]
        for array in (self.count, self.absolute, self.square, self.idle):
            _check_sums(array, cells)
        if not np.isin(values_of(self.idle), (0, 1)).all():
            raise ValueError("a cell is idle or not, 1 or 0")

    @property
    def idle_map(self) -> NDArray[np.bool_]:
        """Idle cells that count, ``[H, W]``."""
        idle: NDArray[np.bool_] = (values_of(self.idle) == 1) & (values_of(self.count) > 0)
        return idle.reshape(self.grid)

    @property
    def mae_map(self) -> Floats:
        """Mean absolute error of each cell, ``[H, W]``; NaN where none counts."""
        return _ratio(values_of(self.absolute), values_of(self.count)).reshape(self.grid)

    @property
    def mae_in_use(self) -> float:
        """Mean absolute error over all cells but idle ones; NaN if there is no other."""
        in_use = ~self.idle_map.ravel()
        count, absolute = (values_of(sums)[in_use].sum() for sums in (self.count, self.absolute))
        return float(absolute / count) if count else math.nan

    @property
    def idle_share(self) -> float:
        """Share of the idle cells in all that count."""
        return float(self.idle_map.sum() / (values_of(self.count) > 0).sum())

    @property
    def idle_error(self) -> float:
        """Share of the absolute errors that is made in idle cells; 0 where there is no error."""
        absolute = values_of(self.absolute)
        return float(absolute[self.idle_map.ravel()].sum() / absolute.sum()) if absolute.any() else 0.0


class WindowErrors(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over all steps, channels and cells of a window that count, physical units, for N test windows.

    Where units differ between channels, errors are divided by their channel's scale, as the scaler has it.

    Attributes:
        per_day: Slots of a season: of a day, or of a year where a slot is a week or a month.
        origins: Where the windows' targets begin, as ascending ranges ``[first, stop)`` of consecutive windows.
        count: Number of values, ``[N]``.
        absolute, square: Sums of absolute and of squared errors, ``[N]``.
        day, cells: The same errors by time of day and by cell; None in records that were made before these were kept.
    """

    per_day: Size
    origins: list[tuple[Slot, Slot]]
    count: bytes
    absolute: bytes
    square: bytes
    day: DayErrors | None = None
    cells: CellErrors | None = None

    @property
    def windows_per_day(self) -> float:
        """How many windows begin in a day, by the usual distance of a window from the one before.

        That is a slot, unless gaps in time leave single windows, as scenes with a window each do, or few are scored.
        """
        distances = np.diff(self.starts)
        return self.per_day / float(np.median(distances)) if distances.size else float(self.per_day)

    @classmethod
    def of(
        cls,
        *,
        per_day: int,
        origins: NDArray[np.int64],
        count: Floats,
        absolute: Floats,
        square: Floats,
        day: DayErrors | None = None,
        cells: Mapping[str, Floats] | None = None,
    ) -> WindowErrors:
        """From arrays ``[N]``, origins ascending, and those that ``CellErrors.of`` takes.

        Raises:
            TrainingError: If a sum is too large to be kept.
        """
        return cls(
            per_day=per_day,
            origins=_ranges(origins.tolist()),
            count=_kept(count),
            absolute=_kept(absolute),
            square=_kept(square),
            day=day,
            cells=None if cells is None else CellErrors.of(cells),
        )

    def __post_init__(self) -> None:
        bounds = [bound for start, stop in self.origins for bound in (start, stop)]
        if not bounds or any(before >= after for before, after in pairwise(bounds)):
            raise ValueError("its windows are not in order")
        windows = sum(stop - start for start, stop in self.origins)
        sums = [(self.count, windows), (self.absolute, windows), (self.square, windows)]
        sums += [(self.day.count, self.per_day), (self.day.absolute, self.per_day)] if self.day else []
        if self.cells:
            sums.append((self.cells.idle_absolute, windows if self.cells.idle_map.any() else 0))
        for array, length in sums:
            _check_sums(array, length)

    @property
    def starts(self) -> NDArray[np.int64]:
        """The origins one by one, ``[N]``."""
        return np.concatenate([np.arange(start, stop, dtype=np.int64) for start, stop in self.origins])


class ForecastMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step and channel of one test window, physical units; ``RULE`` says which.

    Attributes:
        origin: Where the window's target begins, in slots from the start of the data.
        step: Counted from 1.
        slot, per_day: The step's slot of the season, and the slots of a season.
        weekday: Monday is 0; None where the calendar is unknown. Where the season is the year it is 0 if that is known.
        grid: (H, W).
        truth: ``[H, W]``, NaN where nothing counts: the value is missing, or the cell is padding.
        forecast: ``[H, W]``.
    """

    origin: Slot
    step: Size
    slot: Slot
    per_day: Size
    weekday: Annotated[int, Meta(ge=0, le=6)] | None
    channel: str
    unit: str
    grid: tuple[Size, Size]
    truth: bytes
    forecast: bytes
    rule: str = RULE

    def __post_init__(self) -> None:
        if self.slot >= self.per_day:
            raise ValueError("its map is of a slot beyond the day's end")
        if {len(self.truth), len(self.forecast)} != {self.grid[0] * self.grid[1] * STORED.itemsize}:
            raise ValueError(f"its map is not of {self.grid[0]} x {self.grid[1]} cells")
        truth, forecast = self.truth_map, self.forecast_map
        if np.isinf(truth).any() or not np.isfinite(forecast).all():
            raise ValueError("its map is not finite")

    @property
    def truth_map(self) -> Floats:
        return values_of(self.truth).reshape(self.grid)

    @property
    def forecast_map(self) -> Floats:
        return values_of(self.forecast).reshape(self.grid)


def stored(values: Floats) -> bytes:
    """An array as a record holds it, row by row."""
    return values.astype(STORED).tobytes()


def values_of(array: bytes) -> Floats:
    """The values of a stored array, ``[N]``."""
    return np.frombuffer(array, STORED).astype(np.float64)


def _check_sums(array: bytes, length: int) -> None:
    values = np.frombuffer(array, STORED) if len(array) == length * STORED.itemsize else None
    if values is None or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"its errors are not {length} sums")


def _ratio(sums: Floats, count: Floats) -> Floats:
    """Means ``[N]``, NaN where nothing counts."""
    mean: Floats = np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
    return mean


def _kept(values: Floats) -> bytes:
    if not (np.abs(values) <= np.finfo(STORED).max).all():
        raise TrainingError("the errors on test are too large to be kept; the model has diverged: lower train.lr")
    return stored(values)


def _ranges(origins: Sequence[int]) -> list[tuple[int, int]]:
    breaks = [(before + 1, after) for before, after in pairwise(origins) if after != before + 1]
    starts = [origins[0], *(after for _, after in breaks)]
    stops = [*(stop for stop, _ in breaks), origins[-1] + 1]
    return list(zip(starts, stops, strict=True))
