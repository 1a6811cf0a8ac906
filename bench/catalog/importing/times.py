"""The times of a file, of whatever format: one after another at the card's interval, or what to do about it."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.time_text import Clock
from bench.clock import MONTH, WEEK, is_last_of_month, slots_since, step_in_words, times_from
from bench.errors import DataError
from bench.mapped import pieces
from bench.plain_text import counted
from bench.types import MINUTES_PER_DAY

if TYPE_CHECKING:
    import pandas as pd

LONGEST_GAP: Final = timedelta(days=366)  # a longer one is a wrong date
ALL_ALIKE: Final = 3  # gaps in a row, and no other steps, mean another interval
NIGHT: Final = range(4)  # the hours at which clocks are changed
MINUTE: Final = np.timedelta64(1, "m")
SHORTEST_MONTH, LONGEST_MONTH = np.timedelta64(28, "D"), np.timedelta64(31, "D")
OTHER_STEP: Final = "a step divides a day, or is a week or a month, so bring the rows to such steps"

Times = NDArray[np.datetime64]


class TimeAxis:
    """Times that come a piece at a time, in order, and the slots that they stand for.

    Every format has one: ``filled`` for rows with a time each, or ``read`` and ``slots`` for tables in which a time
    stands in many rows.

    Attributes:
        start: The first time, once one was read: local, or that of the card's ``time_zone``.
        missing: How many slots had no row.
    """

    def __init__(self, card: ImportCard, file: Path, *, one_row_each: bool = True, utc: bool = False) -> None:
        """``one_row_each`` and ``utc`` are as a ``Clock`` has them."""
        self.start: datetime | None = None
        self.missing = 0
        self._one_row_each = one_row_each
        self._card, self._file, self._clock = card, file, Clock(card, file, one_row_each=one_row_each, utc=utc)
        self._first: np.datetime64 | None = None
        self._by_middles = False  # whether the file names months by their middles
        self._by_day = 0  # by which it names them although its first time is the last of its month; 0 if by none
        self._last: np.datetime64 | None = None
        self._latest_day = 0  # of a month, of all times so far
        self._rows = self._slots = 0  # so far

    @property
    def notes(self) -> list[str]:
        """Sentences on what was decided, for the person who imports."""
        gaps = f"{counted(self.missing, 'slot has', 'slots have')} no row; the values there are missing"
        by = "their middles" if self._by_middles else f"day {self._by_day}" if self._by_day else ""
        months = f"months are named by {by} in the file, and by their first days here"
        notes = (self._clock.note(), months if by else "", gaps if self.missing else "")
        return [note for note in notes if note]

    def read(self, cells: pd.Series[Any] | NDArray[Any]) -> Times:
        """Times ``[rows]`` as they stand in the file: texts, or datetimes with or without a zone.

        Raises:
            DataError: If one is empty or can be read in no way or in two.
        """
        return self._clock.read(cells)

    def slots(self, times: Times) -> NDArray[np.int64]:
        """The slots of times ``[rows]`` that go on from those before, each later than the last; the first slot is 0.

        Raises:
            DataError: If a time comes again, is earlier or lies between two slots, or one is left out and the card does
                not say ``gaps = "missing"``.
        """
        if not times.size:
            return np.empty(0, np.int64)
        if self._card.interval == MONTH:
            times = self._named_alike(times)
        begins = self._first is None
        first: np.datetime64 = times[0] if self._first is None else self._first
        known = times if self._last is None else np.concatenate([[self._last], times])
        self._check_order(known)
        if self._card.interval == MONTH:
            first = self._counted_from(first, times)
        places = slots_since(first, self._card.interval, known)
        self._check_places(known, places, first)
        steps = np.diff(places)
        self._check_gaps(known, steps)
        if begins:
            self._begin_at(first, _first_days(times[0]) if self._by_day else first)
            steps = np.concatenate([[1], steps])
        slots = self._slots - 1 + np.cumsum(steps)
        self.missing += int((steps - 1).sum())
        self._last, self._rows, self._slots = times[-1], self._rows + len(times), int(slots[-1]) + 1
        return slots

    def _named_alike(self, times: Times) -> Times:
        """Times of months, by their first days if they are all in the middle, which is another day in each."""
        first: np.datetime64 = times[0] if self._first is None else self._first
        in_middle = _in_middle_of_month(times).all()
        if not self._by_middles and in_middle and _in_middle_of_month(np.array([first])).all():
            self._by_middles = bool((times != times_from(first, MONTH, slots_since(first, MONTH, times))).any())
            if self._by_middles and self._last is not None:
                self._begin_at(_first_days(first), _first_days(first))
                self._last = _first_days(self._last)
        return _first_days(times) if self._by_middles and in_middle else times

    def _counted_from(self, first: np.datetime64, times: Times) -> np.datetime64:
        """From where months are counted: the first time, or, if that is the last of its month by chance, a January's.

        The first time that is not the last of its month tells on which day all are.
        """
        days = _days_of_month(times)
        odd = np.flatnonzero(times != times_from(first, MONTH, slots_since(first, MONTH, times)))
        before = max(self._latest_day, int(days[: odd[0]].max(initial=0)) if odd.size else 0)
        self._latest_day = max(self._latest_day, int(days.max()))
        if not odd.size or not is_last_of_month(first) or before > days[odd[0]]:
            return first
        self._by_day = int(days[odd[0]])
        january = first.astype("datetime64[Y]").astype(times.dtype)
        counted_from: np.datetime64 = (
            january + np.timedelta64(self._by_day - 1, "D") + (first - first.astype("datetime64[D]"))
        )
        if self._first is not None:
            self._begin_at(counted_from, _first_days(first))
        return counted_from

    def _begin_at(self, first: np.datetime64, start: np.datetime64) -> None:
        """Count from a time, and call the first slot's ``start``."""
        self._first, self.start = first, start.astype("datetime64[us]").item()

    def filled(self, cells: pd.Series[Any] | NDArray[Any], rows: NDArray[Any]) -> Generator[NDArray[Any]]:
        """The rows of a piece, ``[n, ...]`` with a time each, and rows of NaN where slots are left out.

        Raises:
            DataError: As ``read`` and ``slots``.
        """
        done, before = 0, self._slots
        slots = self.slots(self.read(cells))
        gaps = np.flatnonzero(np.diff(slots, prepend=before - 1) > 1)
        for gap in map(int, gaps):
            yield rows[done:gap]
            empty = int(slots[gap]) - (int(slots[gap - 1]) + 1 if gap else before)
            kind = rows.dtype if rows.dtype.kind == "f" else np.dtype(np.float64)
            for piece in pieces((empty, *rows.shape[1:])):
                yield np.full((piece.stop - piece.start, *rows.shape[1:]), np.nan, kind)
            done = gap
        yield rows[done:]

    def _check_order(self, known: Times) -> None:
        """Each is later than the one before."""
        if (back := np.flatnonzero(np.diff(known) <= np.timedelta64(0))).size:
            raise DataError(f"{self._file} {self._backwards(known, int(back[0]))}")

    def _check_places(self, known: Times, places: NDArray[np.int64], first: np.datetime64) -> None:
        """Each is a whole number of steps later than the first; of months, on the same day or the last."""
        odd = np.flatnonzero(known != times_from(first, self._card.interval, places))
        if not odd.size:
            return
        at, other = int(odd[0]) - 1, "correct that time"
        followed = f"{_said(known[at])} is followed by {_said(known[at + 1])}{self._in_row(at)}"
        if self._card.interval == MONTH:
            wanted = times_from(first, MONTH, places[odd[:1]])[0]
            other = f"leave one row for each month, all of them {self._when_in_month(first, known[odd[0]], wanted)}"
        remedy = self._remedy_of_step(np.diff(known)) or other
        if self._card.interval == MONTH and places[at] == places[at + 1]:
            raise DataError(f"{self._file} has two rows in one month: {followed}; {remedy}")
        raise DataError(
            f"{self._file} has a time that is no step of {step_in_words(self._card.interval)} after the one before: "
            f"{followed}; {remedy}"
        )

    def _when_in_month(self, first: np.datetime64, found: np.datetime64, wanted: np.datetime64) -> str:
        """What is wanted of a time that is not where the first says: its time of day, or its day of the month."""
        if found.astype("datetime64[D]") == wanted.astype("datetime64[D]"):
            return f"at {_moment(first).time()}, as the first is"
        if self._by_day:
            return f"on day {self._by_day}"
        return f"on {'the last' if is_last_of_month(first) else f'day {_moment(first).day}'}, as the first is"

    def _remedy_of_step(self, apart: NDArray[np.timedelta64]) -> str:
        """The interval to be stated if all times are so far apart; empty if none would do."""
        months = ((apart >= SHORTEST_MONTH) & (apart <= LONGEST_MONTH)).all()
        if months and len(apart) >= ALL_ALIKE and self._card.interval != MONTH:
            return 'say interval = "month" in the card'
        if (apart != apart[0]).any():
            return ""
        if apart[0] == WEEK * MINUTE:
            return 'say interval = "week" in the card'
        minutes = float(apart[0] / MINUTE)
        fits = minutes.is_integer() and MINUTES_PER_DAY % minutes == 0
        return f"say interval = {minutes:g} in the card" if fits else ""

    def _check_gaps(self, known: Times, steps: NDArray[np.int64]) -> None:
        gaps = np.flatnonzero(steps > 1)
        if not gaps.size:
            return
        at = int(gaps[0]) if self._card.gaps == "error" else int(steps.argmax())
        before, after = known[at], known[at + 1]
        text = (
            f"{self._file} has a gap in time: {_said(before)} is followed by {_said(after)}"
            f"{self._in_row(at)} where a step of {step_in_words(self._card.interval)} is wanted"
        )
        if self._last is None and len(steps) >= ALL_ALIKE:
            remedy = self._remedy_of_step(np.diff(known))
            if remedy or (steps == steps[0]).all():
                raise DataError(f"{text}, as everywhere; {remedy or OTHER_STEP}")
        if after - before > np.timedelta64(LONGEST_GAP):
            raise DataError(f"{text}; that is more than a year, so correct the time or import the parts one by one")
        if self._card.gaps == "missing":
            return
        if after - before == 60 * MINUTE + self._card.interval * MINUTE and _at_night(before, after):
            raise DataError(
                f"{text}, which may be the hour that a change of the clock leaves out; {self._remedy_of_zone()}, or "
                'say gaps = "missing"'
            )
        raise DataError(f'{text}; say gaps = "missing" in the card if what was left out is missing, or fill the rows')

    def _backwards(self, known: Times, at: int) -> str:
        before, after, row = known[at], known[at + 1], self._row(at)
        if before - after == (60 - self._card.interval) * MINUTE and _at_night(before, after):
            what = f"the time {_said(after)} twice" if before == after else f"{_said(after)} after {_said(before)}"
            return (
                f"has {what} (rows {row - 1} and {row}), which may be the hour that a change of the clock repeats; "
                f"{self._remedy_of_zone()}, or make one hour of the two"
            )
        if before == after:
            return (
                f"has the time {_said(after)} twice (rows {row - 1} and {row}); leave one row for each time, or, if "
                "each row is one cell of a slot, bring the cells of a slot into one row"
            )
        return (
            f"is not in order of time: {_said(before)} is followed by {_said(after)}{self._in_row(at)}; sort the rows"
        )

    def _remedy_of_zone(self) -> str:
        if self._card.time_zone:
            return "correct the time_zone in the card"
        return (
            'say where the clock stood, such as time_zone = "Europe/Paris", in the card, and times are put into its '
            "standard time"
        )

    def _in_row(self, at: int) -> str:
        return f" (row {self._row(at)})" if self._one_row_each else ""

    def _row(self, at: int) -> int:
        """The number of the row, from 1 and without header, of the later of two times."""
        return self._rows + at + (2 if self._last is None else 1)


def _first_days(times: Any) -> Any:
    return times.astype("datetime64[M]").astype("datetime64[us]")


def _days_of_month(times: Times) -> NDArray[np.int64]:
    days: NDArray[np.int64] = (times.astype("datetime64[D]") - times.astype("datetime64[M]")).astype(np.int64) + 1
    return days


def _in_middle_of_month(times: Times) -> NDArray[np.bool_]:
    """Within a day: calendars without leap years have another middle of February."""
    months = times.astype("datetime64[M]")
    begins, ends = (month.astype("datetime64[us]") for month in (months, months + 1))
    middles = begins + (ends - begins) // 2
    near: NDArray[np.bool_] = np.abs(times - middles) <= np.timedelta64(1, "D")
    return near


def _moment(time: np.datetime64) -> datetime:
    moment: datetime = time.astype("datetime64[us]").item()
    return moment


def _said(time: np.datetime64) -> str:
    return str(_moment(time))


def _at_night(*times: np.datetime64) -> bool:
    """Whether clocks may have been changed between these times."""
    return any(moment.weekday() == 6 and moment.hour in NIGHT for moment in map(_moment, times))
