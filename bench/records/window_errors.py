"""Errors by test window and by slot of the day, as text in the record: statistics need no model and no device."""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import StoreError, TrainingError
from bench.records.arrays import MOST_SLOTS, STORED, text_of, values_of


@dataclass(frozen=True, kw_only=True)
class WindowErrors:
    """Sums over all steps, channels and cells of a window that count, physical units, ``[N]`` float64 each.

    Attributes:
        per_day: Slots of a day.
        origins: ``[N]``, ascending, where each window's target begins, in slots from the start of the data.
        count: Number of values.
        absolute, square: Sums of absolute and of squared errors.
    """

    per_day: int
    origins: NDArray[np.int64]
    count: NDArray[np.float64]
    absolute: NDArray[np.float64]
    square: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DayErrors:
    """Sums over all windows, steps, channels and cells that count by the target's slot of the day, ``[per_day]``.

    Attributes:
        count: Number of values.
        absolute: Sums of absolute errors, physical units.
    """

    count: NDArray[np.float64]
    absolute: NDArray[np.float64]


def pack(errors: WindowErrors) -> dict[str, Any]:
    """Plain values for a record; origins as ranges ``[first, stop)`` of consecutive windows.

    Raises:
        TrainingError: If an error is too large to be kept.
    """
    texts = {name: _text(getattr(errors, name)) for name in ("count", "absolute", "square")}
    return {"per_day": errors.per_day, "origins": _ranges(errors.origins.tolist()), **texts}


def unpack(packed: Mapping[str, Any], source: str) -> WindowErrors:
    """What ``pack`` was given, at float32 precision; ``source`` names the record in errors.

    Raises:
        StoreError: If the values are not what ``pack`` makes.
    """
    try:
        (per_day,) = _slots([packed["per_day"]])
        ranges = [_slots(pair) for pair in packed["origins"]]
        bounds = [bound for start, stop in ranges for bound in (start, stop)]
        if per_day < 1 or not bounds or any(before >= after for before, after in pairwise(bounds)):
            raise ValueError("windows out of order, or a day without slots")
        total = sum(stop - start for start, stop in ranges)
        arrays = {name: _array(packed[name], total) for name in ("count", "absolute", "square")}
        origins = np.concatenate([np.arange(start, stop) for start, stop in ranges])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise StoreError(
            f"the window errors of {source} cannot be read ({error}); move it away and run again"
        ) from error
    return WindowErrors(per_day=per_day, origins=origins, **arrays)


def pack_day(errors: DayErrors) -> dict[str, Any]:
    """Plain values for a record, as ``day`` among those of ``pack``.

    Raises:
        TrainingError: If an error is too large to be kept.
    """
    return {name: _text(getattr(errors, name)) for name in ("count", "absolute")}


def unpack_day(packed: Mapping[str, Any], source: str) -> DayErrors | None:
    """What ``pack_day`` was given, from what ``pack`` made; None for a record that has none.

    Raises:
        StoreError: If the values are not what ``pack_day`` makes.
    """
    if "day" not in packed:
        return None
    try:
        (per_day,) = _slots([packed["per_day"]])
        arrays = {name: _array(packed["day"][name], per_day) for name in ("count", "absolute")}
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise StoreError(
            f"the errors by slot of the day of {source} cannot be read ({error}); move it away and run again"
        ) from error
    return DayErrors(**arrays)


def _slots(values: Sequence[Any]) -> list[int]:
    if any(type(value) is not int or not 0 <= value < MOST_SLOTS for value in values):
        raise ValueError(f"found {values!r:.60}, wanted whole numbers of slots")
    return list(values)


def _text(values: NDArray[np.float64]) -> str:
    if not (np.abs(values) <= np.finfo(STORED).max).all():
        raise TrainingError("the errors on test are too large to be kept; the model has diverged: lower train.lr")
    return text_of(values)


def _array(text: str, length: int) -> NDArray[np.float64]:
    values = values_of(text)
    if len(values) != length or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"found {len(values)} values, wanted {length}, or some that are no sums of errors")
    return values


def _ranges(origins: Sequence[int]) -> list[list[int]]:
    breaks = [(before + 1, after) for before, after in pairwise(origins) if after != before + 1]
    starts = [origins[0], *(after for _, after in breaks)]
    stops = [*(stop for stop, _ in breaks), origins[-1] + 1]
    return [list(pair) for pair in zip(starts, stops, strict=True)]
