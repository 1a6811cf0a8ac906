"""The times of slots, and their clock: the place in the season and in the cycle of seasons.

The season of steps up to a day is the day, and the cycle is the week. That of weeks and months is the year, and there
is no longer cycle.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.types import MINUTES_PER_DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONDAY = np.datetime64("1970-01-05T00:00", "m")
DAY: Final = np.timedelta64(1, "D")
WEEK: Final = 7 * MINUTES_PER_DAY
MONTH: Final = 43_830  # minutes on average; a step of this length is a calendar month
STEPS_OF_A_YEAR: Final = {WEEK: 52, MONTH: 12}
SPANS: Final = ((MONTH, "month"), (WEEK, "week"), (MINUTES_PER_DAY, "day"), (60, "h"), (1, "min"))
"""Minutes of what a step is told in, the longest first."""
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def clock_of(minutes: NDArray[np.int64], interval: int) -> NDArray[np.int64]:
    """Slot of day and day of week of minutes since any Monday's midnight: ``[T]`` to ``[T, 2]``."""
    return np.stack([minutes % MINUTES_PER_DAY // interval, minutes // MINUTES_PER_DAY % 7], axis=-1)


def clock_from(start: datetime | str | None, interval: int, slots: int) -> NDArray[np.int64]:
    """The clock ``[slots, 2]`` of consecutive slots from a date-time.

    If it is None, they count from a Monday's midnight, or from the first slot of a year.
    """
    steps = np.arange(slots, dtype=np.int64)
    if start is not None:
        return clock_at(times_from(moment_of(start), interval, steps), interval)
    if interval in STEPS_OF_A_YEAR:
        return _with_no_cycle(steps % STEPS_OF_A_YEAR[interval])
    return clock_of(interval * steps, interval)


def moment_of(start: datetime | str) -> np.datetime64:
    """A local time, in minutes."""
    moment = datetime.fromisoformat(start) if isinstance(start, str) else start
    return np.datetime64(moment.replace(tzinfo=None), "m")


def times_from(start: np.datetime64, interval: int, slots: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """The times of slots that are counted from the one at ``start``.

    Months begin on the day of the month that ``start`` has, or on their last if they are shorter; if ``start`` is the
    last day of its month, so are all.
    """
    if interval != MONTH:
        return start + slots * np.timedelta64(interval, "m")
    first = start.astype("datetime64[D]")
    months = first.astype("datetime64[M]") + slots
    last = (months + 1).astype("datetime64[D]") - DAY
    same_day = months.astype("datetime64[D]") + (first - first.astype("datetime64[M]"))
    times: NDArray[np.datetime64] = (last if is_last_of_month(start) else np.minimum(same_day, last)) + (start - first)
    return times


def is_last_of_month(time: np.datetime64) -> bool:
    """Whether the next day is in another month."""
    day = time.astype("datetime64[D]")
    return bool((day + DAY).astype("datetime64[M]") > day.astype("datetime64[M]"))


def slots_since(start: np.datetime64, interval: int, times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """In which slots times lie, counted from the one at ``start``."""
    if interval == MONTH:
        apart = times.astype("datetime64[M]") - start.astype("datetime64[M]")
    else:
        apart = (times - start) // np.timedelta64(interval, "m")
    slots: NDArray[np.int64] = apart.astype(np.int64)
    return slots


def clock_at(times: NDArray[np.datetime64], interval: int) -> NDArray[np.int64]:
    """The clock of times, ``[T]`` to ``[T, 2]``; weeks are those of ISO 8601, a 53rd counts with the 52nd."""
    if interval == MONTH:
        return _with_no_cycle(times.astype("datetime64[M]").astype(np.int64) % STEPS_OF_A_YEAR[MONTH])
    if interval == WEEK:
        days = times.astype("datetime64[D]")
        thursdays = days + (3 - (days - MONDAY.astype("datetime64[D]")).astype(np.int64) % 7)
        weeks = (thursdays - thursdays.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) // 7
        return _with_no_cycle(np.minimum(weeks, STEPS_OF_A_YEAR[WEEK] - 1))
    return clock_of((times.astype("datetime64[m]") - MONDAY).astype(np.int64), interval)


def span(minutes: int) -> str:
    """A length in time: "30 min", "1 h", "1 week", "1 month"."""
    for length, name in SPANS:
        if minutes % length == 0:
            number = minutes // length
            plural = "s" if name in ("day", "week", "month") and number > 1 else ""
            return f"{number} {name}{plural}"
    return f"{minutes} min"


def step_in_words(interval: int) -> str:
    """The length of a step as sentences on files have it: "60 minutes", "a week", "a month"."""
    return {WEEK: "a week", MONTH: "a month"}.get(interval, f"{interval} minutes")


def slot_of_year(interval: int, slot: int, *, known: bool) -> str:
    """A month or week in words, such as "Mar" or "week 12"; by its number where the calendar is not known."""
    if interval == MONTH and known:
        return MONTHS[slot]
    return f"{'month' if interval == MONTH else 'week'} {slot + 1}"


def _with_no_cycle(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack([positions, np.zeros_like(positions)], axis=-1)
