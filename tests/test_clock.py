"""Times of slots and their clock: days, weeks and months as the calendar has them."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from bench.clock import (
    MONTH,
    WEEK,
    clock_at,
    clock_from,
    moment_of,
    slot_of_year,
    slots_since,
    span,
    step_in_words,
    times_from,
)

MANY = 400


def positions(start: str, interval: int, slots: int) -> list[int]:
    clock = clock_from(start, interval, slots)
    assert clock.shape == (slots, 2)
    assert (clock[:, 1] == 0).all()
    return clock[:, 0].tolist()


@pytest.mark.parametrize("day", ["2014-12-22", "2014-12-28", "2020-02-29"])
def test_a_week_is_at_its_place_in_the_iso_year_and_a_53rd_counts_with_the_52nd(day: str) -> None:
    first = date.fromisoformat(day)
    wanted = [min((first + timedelta(weeks=n)).isocalendar().week, 52) - 1 for n in range(MANY)]
    assert positions(day, WEEK, MANY) == wanted
    assert len(set(wanted)) == 52
    assert [51, 51, 0] in [wanted[n : n + 3] for n in range(MANY)]


@pytest.mark.parametrize("day", ["2019-12-01", "2019-12-15", "2019-12-31", "2019-12-30"])
def test_a_month_is_at_its_place_in_the_year(day: str) -> None:
    assert positions(day, MONTH, 30) == [(11 + n) % 12 for n in range(30)]


@pytest.mark.parametrize(
    ("start", "frequency"),
    [
        ("2019-12-01", "MS"),
        ("2019-12-31", "ME"),
        ("2020-02-29T06:30", "ME"),
        ("2021-02-28", "ME"),
        ("2021-04-30", "ME"),
        ("2020-01-05", "W"),
    ],
)
def test_times_of_slots_are_those_of_pandas(start: str, frequency: str) -> None:
    interval = WEEK if frequency == "W" else MONTH
    times = times_from(moment_of(start), interval, np.arange(60))
    assert times.tolist() == pd.date_range(start, periods=60, freq=frequency).to_pydatetime().tolist()
    np.testing.assert_array_equal(slots_since(moment_of(start), interval, times), np.arange(60))


def test_months_that_are_too_short_for_the_day_end_with_it() -> None:
    times = times_from(moment_of("2023-12-30T12:00"), MONTH, np.arange(4))
    assert [str(time)[:10] for time in times] == ["2023-12-30", "2024-01-30", "2024-02-29", "2024-03-30"]


@pytest.mark.parametrize(("interval", "size"), [(WEEK, 52), (MONTH, 12)])
def test_a_year_goes_round_also_where_the_calendar_is_unknown(interval: int, size: int) -> None:
    clock = clock_from(None, interval, 3 * size)
    assert clock[:, 0].tolist() == 3 * list(range(size))
    assert (clock[:, 1] == 0).all()


def test_a_day_of_one_step_has_the_week_as_its_cycle() -> None:
    assert clock_from("2024-01-06", 1440, 3).tolist() == [[0, 5], [0, 6], [0, 0]]


def test_the_clock_of_minutes_is_that_of_the_moment() -> None:
    times = times_from(moment_of(datetime.fromisoformat("2024-01-07T23:30:00+01:00")), 30, np.arange(3))
    assert clock_at(times, 30).tolist() == [[47, 6], [0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("minutes", "short", "words"),
    [
        (30, "30 min", "30 minutes"),
        (120, "2 h", "120 minutes"),
        (1440, "1 day", "1440 minutes"),
        (WEEK, "1 week", "a week"),
        (MONTH, "1 month", "a month"),
        (3 * MONTH, "3 months", "131490 minutes"),
    ],
)
def test_lengths_of_steps_are_told_in_words(minutes: int, short: str, words: str) -> None:
    assert (span(minutes), step_in_words(minutes)) == (short, words)


def test_places_in_the_year_are_told_in_words() -> None:
    assert slot_of_year(MONTH, 2, known=True) == "Mar"
    assert slot_of_year(MONTH, 2, known=False) == "month 3"
    assert slot_of_year(WEEK, 51, known=True) == "week 52"
