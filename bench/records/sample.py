"""One forecast kept as a map beside its truth, in the record, so that figures need no model and no data.

Which window is kept depends on the truth alone, hence it is the same for every model.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import StoreError
from bench.records.arrays import MOST_SLOTS, text_of, values_of

MOST_CELLS = 2**24  # of a map: far beyond any grid
RULE = (
    "of all test windows the first whose truth has the largest total at the last step in the first channel; missing "
    "values and cells that do not count are 0"
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One step and channel of one test window, physical units.

    Attributes:
        origin: Where the window's target begins, in slots from the start of the data.
        step: Counted from 1.
        slot, per_day: The step's slot of the day, and the slots of a day.
        weekday: Monday is 0; None where the calendar is unknown.
        truth: ``[H, W]``, NaN where nothing counts: the value is missing, or the cell is padding.
        forecast: ``[H, W]``.
    """

    origin: int
    step: int
    slot: int
    per_day: int
    weekday: int | None
    channel: str
    unit: str
    truth: NDArray[np.float64]
    forecast: NDArray[np.float64]


def pack(sample: Sample) -> dict[str, Any]:
    """Plain values for a record, with the rule by which the window was chosen."""
    facts = {name: getattr(sample, name) for name in ("origin", "step", "slot", "per_day", "weekday")}
    texts = {name: text_of(getattr(sample, name)) for name in ("truth", "forecast")}
    names = {"channel": sample.channel, "unit": sample.unit, "rule": RULE}
    return {**facts, **names, "grid": list(sample.truth.shape), **texts}


def unpack(packed: Mapping[str, Any], source: str) -> Sample:
    """What ``pack`` was given, at float32 precision; ``source`` names the record in errors.

    Raises:
        StoreError: If the values are not what ``pack`` makes.
    """
    try:
        height, width = _numbers(packed["grid"], 1, MOST_CELLS)
        origin, slot = _numbers([packed["origin"], packed["slot"]], 0, MOST_SLOTS)
        step, per_day = _numbers([packed["step"], packed["per_day"]], 1, MOST_SLOTS)
        weekday = packed["weekday"]
        _numbers([] if weekday is None else [weekday], 0, 7)
        if slot >= per_day:
            raise ValueError("a slot beyond the day's end")
        sample = Sample(
            origin=origin,
            step=step,
            slot=slot,
            per_day=per_day,
            weekday=weekday,
            channel=_name(packed["channel"]),
            unit=_name(packed["unit"]),
            truth=_map(packed["truth"], height, width),
            forecast=_map(packed["forecast"], height, width),
        )
        if np.isinf(sample.truth).any() or not np.isfinite(sample.forecast).all():
            raise ValueError("some values are not finite")
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise StoreError(
            f"the sample forecast of {source} cannot be read ({error}); move it away and run again"
        ) from error
    return sample


def _numbers(values: Sequence[Any], low: int, stop: int) -> list[int]:
    if any(type(value) is not int or not low <= value < stop for value in values):
        raise ValueError(f"found {values!r:.60}, wanted whole numbers from {low}")
    return list(values)


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"found {value!r:.60}, wanted a name")
    return value


def _map(text: str, height: int, width: int) -> NDArray[np.float64]:
    values = values_of(text)
    if len(values) != height * width:
        raise ValueError(f"found {len(values)} values for {height} x {width} cells")
    return values.reshape(height, width)
