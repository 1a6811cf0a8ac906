"""Errors of every test window, kept as text in the record, so that statistics need no model and no device.

An array is the base64 of its little-endian float32 values; a sum of errors keeps seven digits.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import StoreError

STORED = np.dtype("<f4")


@dataclass(frozen=True, kw_only=True)
class WindowErrors:
    """Sums over all steps, channels and cells of a window that count, physical units, ``[N]`` float64 each.

    Attributes:
        per_day: Slots of a day.
        origins: ``[N]``, where each window's target begins, in slots from the start of the data.
        count: Number of values.
        absolute, square: Sums of absolute and of squared errors.
    """

    per_day: int
    origins: NDArray[np.int64]
    count: NDArray[np.float64]
    absolute: NDArray[np.float64]
    square: NDArray[np.float64]


def pack(errors: WindowErrors) -> dict[str, Any]:
    """Plain values for a record; origins as ranges ``[first, stop)`` of consecutive windows."""
    texts = {name: _text(getattr(errors, name)) for name in ("count", "absolute", "square")}
    return {"per_day": errors.per_day, "origins": _ranges(errors.origins.tolist()), **texts}


def unpack(packed: Mapping[str, Any], source: str) -> WindowErrors:
    """What ``pack`` was given, at float32 precision; ``source`` names the record in errors.

    Raises:
        StoreError: If the values are not what ``pack`` makes.
    """
    try:
        per_day, ranges = packed["per_day"], packed["origins"]
        if not isinstance(per_day, int) or per_day < 1:
            raise ValueError(f"a day has {per_day!r} slots")
        if any(start >= stop for start, stop in ranges):
            raise ValueError("a range of windows ends before it begins")
        total = sum(stop - start for start, stop in ranges)
        arrays = {name: _array(packed[name], total) for name in ("count", "absolute", "square")}
        origins = np.concatenate([np.arange(start, stop) for start, stop in ranges])
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise StoreError(
            f"the window errors of {source} cannot be read ({error}); move it away and run again"
        ) from error
    return WindowErrors(per_day=per_day, origins=origins, **arrays)


def _text(values: NDArray[np.float64]) -> str:
    return base64.b64encode(values.astype(STORED).tobytes()).decode("ascii")


def _array(text: str, length: int) -> NDArray[np.float64]:
    values = np.frombuffer(base64.b64decode(text, validate=True), STORED).astype(np.float64)
    if len(values) != length or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"found {len(values)} values for {length} windows, or some that are no sums of errors")
    return values


def _ranges(origins: Iterable[int]) -> list[list[int]]:
    found = sorted(origins)
    starts = [found[0], *(after for before, after in pairwise(found) if after != before + 1)]
    stops = [*(before + 1 for before, after in pairwise(found) if after != before + 1), found[-1] + 1]
    return [list(pair) for pair in zip(starts, stops, strict=True)]
