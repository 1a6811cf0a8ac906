"""The clock of a slot: its place in the day and in the week."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from bench.types import MINUTES_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONDAY = np.datetime64("1970-01-05T00:00", "m")


def clock_of(minutes: NDArray[np.int64], interval: int) -> NDArray[np.int64]:
    """Slot of day and day of week of minutes since any Monday's midnight: ``[T]`` to ``[T, 2]``."""
    return np.stack([minutes % MINUTES_PER_DAY // interval, minutes // MINUTES_PER_DAY % 7], axis=-1)


def clock_from(start: datetime | str | None, interval: int, slots: int) -> NDArray[np.int64]:
    """The clock ``[slots, 2]`` of consecutive slots from a date-time, or from a Monday's midnight if it is None."""
    moment = datetime.fromisoformat(start) if isinstance(start, str) else start
    first = MONDAY if moment is None else np.datetime64(moment.replace(tzinfo=None), "m")
    minutes = int((first - MONDAY).astype(np.int64)) + interval * np.arange(slots, dtype=np.int64)
    return clock_of(minutes, interval)
