"""Times become slots, in pieces as at once, and those of a zone go into its standard time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import mapped
from bench.catalog.import_card import ImportCard
from bench.catalog.importing.times import TimeAxis
from bench.clock import MONTH, moment_of, times_from
from bench.errors import DataError


def axis(interval: int | str = 60, **facts: object) -> TimeAxis:
    card = ImportCard.model_validate({"name": "odd", "interval": interval, "grid": [1, 1], **facts})
    return TimeAxis(card, Path("a.csv"))


def texts(*times: str) -> pd.Series:
    return pd.Series(times, dtype="str")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_gaps_are_filled_alike_in_pieces_and_at_once(data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.sampled_from([1, 1, 1, 2, 5]), min_size=1, max_size=12))
    slots = np.cumsum([0, 1, *steps])
    times = np.datetime64("2024-03-01T00:00", "m") + slots * np.timedelta64(60, "m")
    rows = np.arange(1.0, len(slots) + 1)[:, None]
    wanted = np.full((slots[-1] + 1, 1), np.nan)
    wanted[slots] = rows
    cut = sorted(data.draw(st.lists(st.integers(0, len(slots)), max_size=3)))
    made = axis(gaps="missing")
    found = [
        piece for part in zip(np.split(times, cut), np.split(rows, cut), strict=True) for piece in made.filled(*part)
    ]
    np.testing.assert_array_equal(np.concatenate(found), wanted)
    assert made.missing == np.isnan(wanted).sum()
    assert made.start == datetime.fromisoformat("2024-03-01")


def test_a_long_gap_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "PIECE", 10)
    found = list(axis(gaps="missing").filled(texts("2024-03-01", "2024-03-03"), np.ones((2, 1), np.int64)))
    assert max(map(len, found)) == 10
    assert sum(map(len, found)) == 49


@pytest.mark.parametrize("zone", ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
@pytest.mark.parametrize("pieces", [1, 40])
def test_local_times_of_a_whole_year_are_one_after_another_in_their_zone(zone: str, pieces: int) -> None:
    first = datetime(2024, 1, 1, tzinfo=UTC)
    instants = [first + timedelta(minutes=30 * n) for n in range(2 * 24 * 366)]
    local = [instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") for instant in instants]
    made = axis(30, time_zone=zone)
    slots = [made.slots(made.read(part)) for part in np.array_split(np.array(local), pieces)]
    assert np.array_equal(np.concatenate(slots), np.arange(len(local)))
    winter = min(datetime(2024, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta() for month in (1, 7))
    assert made.start == (first + winter).replace(tzinfo=None)


@pytest.mark.parametrize("cut", range(1, 6))
def test_an_hour_that_comes_again_is_told_by_its_order_in_two_pieces_too(cut: int) -> None:
    times = texts(*(f"2024-10-27 0{time}" for time in ("2:00", "2:30", "2:00", "2:30", "3:00", "3:30")))
    made = axis(30, time_zone="Europe/Paris")
    parts = [made.slots(made.read(part)).tolist() for part in (times[:cut], times[cut:])]
    assert [*parts[0], *parts[1]] == [0, 1, 2, 3, 4, 5]
    assert made.start == datetime.fromisoformat("2024-10-27T01:00")


def test_columns_of_times_with_a_zone_need_one_in_the_card() -> None:
    times = pd.Series(pd.date_range("2024-07-01", periods=3, freq="h", tz="Europe/Paris"))
    with pytest.raises(DataError, match="time zone Europe/Paris; say time_zone in the card"):
        axis().read(times)
    made = axis(time_zone="Europe/Paris")
    assert made.slots(made.read(times)).tolist() == [0, 1, 2]
    assert made.start == datetime.fromisoformat("2024-06-30T23:00")


def test_an_offset_that_changes_between_two_pieces_is_found() -> None:
    made = axis()
    made.slots(made.read(texts("2024-10-27T02:00+02:00")))
    with pytest.raises(
        DataError, match=r"in row 2, which has another time zone than those before it, which have \+02:00"
    ):
        made.read(texts("2024-10-27T02:00+01:00"))
    with pytest.raises(DataError, match="has no time zone, but times before it have one"):
        made.read(texts("2024-10-27T03:00"))


def test_numpys_and_pandas_own_times_are_read() -> None:
    wanted = np.array(["2024-03-01T00:00", "2024-03-01T01:00"], "datetime64[us]")
    for times in (wanted, wanted.astype("datetime64[ns]"), pd.Series(wanted), np.array(wanted.astype(str))):
        assert np.array_equal(axis().read(times), wanted)


@pytest.mark.parametrize("form", ["%d.%m.%Y %H:%M", "%d %B %Y, %I:%M %p", "%Y%m%d%H%M", "%d/%m/%y %H:%M:%S"])
def test_a_format_is_read_as_the_card_says(form: str) -> None:
    moments = [datetime.fromisoformat("2024-03-01T22:00") + timedelta(hours=n) for n in range(5)]
    made = axis(time_format=form)
    assert made.slots(made.read(texts(*(moment.strftime(form) for moment in moments)))).tolist() == [0, 1, 2, 3, 4]
    assert made.start == moments[0]
    with pytest.raises(DataError, match="in row 6, which is not of the time_format"):
        made.read(texts("soon"))


def test_a_format_that_is_none_is_one_sentence() -> None:
    with pytest.raises(DataError, match="time_format = '%Q' cannot be used") as caught:
        axis(time_format="%Q").read(texts("2024"))
    assert "\n" not in str(caught.value)


def test_an_empty_time_is_one_sentence() -> None:
    with pytest.raises(DataError, match="has no time in row 2, which is empty; give each row a time"):
        axis().read(texts("2024-03-01", " "))


@pytest.mark.parametrize("cut", range(1, 5))
def test_months_that_are_named_by_their_middles_are_read_alike_in_pieces_and_at_once(cut: int) -> None:
    begins = np.array(["2023-12", "2024-01", "2024-02", "2024-03", "2024-04"], dtype="datetime64[M]")
    first, after = (months.astype("datetime64[us]") for months in (begins, begins + 1))
    made = axis("month")
    found = np.concatenate([made.slots(part) for part in np.split(first + (after - first) // 2, [cut])])
    assert found.tolist() == [0, 1, 2, 3, 4]
    assert made.start == datetime.fromisoformat("2023-12-01")
    assert made.notes == ["months are named by their middles in the file, and by their first days here"]


@pytest.mark.parametrize("first", ["2023-01-31", "2023-02-28", "2023-04-30", "2024-02-29", "2024-04-30T18:00"])
@pytest.mark.parametrize("cut", [1, 2, 7, 29])
def test_month_ends_of_pandas_are_read_alike_in_pieces_and_at_once(first: str, cut: int) -> None:
    times = pd.date_range(first, periods=30, freq="ME").to_numpy()
    made = axis("month")
    assert np.concatenate([made.slots(part) for part in np.split(times, [cut])]).tolist() == list(range(30))
    assert made.start is not None
    np.testing.assert_array_equal(times_from(moment_of(made.start), MONTH, np.arange(30)), times)
    assert made.notes == []


@pytest.mark.parametrize(
    ("first", "day"),
    [("2023-02", 28), ("2023-02", 29), ("2023-02", 30), ("2024-02", 29), ("2024-02", 30), ("2023-04", 30)],
)
@pytest.mark.parametrize("cut", [1, 2, 11, 29])
def test_months_by_a_day_that_is_the_last_of_the_first_alone_are_read_alike_in_pieces_and_at_once(
    first: str, day: int, cut: int
) -> None:
    months = pd.period_range(first, periods=30, freq="M")
    times = np.array([f"{month}-{min(day, month.days_in_month):02}T06:00" for month in months], dtype="datetime64[us]")
    made = axis("month")
    assert np.concatenate([made.slots(part) for part in np.split(times, [cut])]).tolist() == list(range(30))
    assert made.start == datetime.fromisoformat(f"{first}-01")
    assert made.notes == [f"months are named by day {day} in the file, and by their first days here"]
    with pytest.raises(DataError, match=f"no step of a month .* all of them on day {day}$"):
        made.slots(times[-1:] + np.timedelta64(1, "D") + np.timedelta64(31, "D"))


@pytest.mark.parametrize(
    ("times", "advice"),
    [
        (["2023-02-28", "2023-03-29", "2023-04-30"], "2023-04-30 .* all of them on day 29"),
        (["2023-03-28", "2023-04-28", "2023-05-30"], "2023-05-30 .* all of them on day 28, as the first is"),
        (["2023-02-28", "2023-03-28T00:00:01"], "2023-03-28 00:00:01 .* all of them at 00:00:00, as the first is"),
        (["2023-01-31T06", "2023-02-28T07"], "2023-02-28 07:00:00 .* all of them at 06:00:00, as the first is"),
        (["2023-01-31T06", "2023-02-27T07"], "2023-02-27 07:00:00 .* all of them on the last, as the first is"),
    ],
)
def test_what_is_odd_in_a_month_is_named_and_is_true_of_the_first(times: list[str], advice: str) -> None:
    with pytest.raises(DataError, match=f"no step of a month .* {advice}$"):
        axis("month").slots(np.array(times, dtype="datetime64[us]"))


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_months_by_their_last_day_do_not_become_others_by_one_that_is_not(cut: int) -> None:
    times, made = np.array(["2023-04-30", "2023-05-31", "2023-06-29"], dtype="datetime64[us]"), axis("month")
    with pytest.raises(DataError, match=r"followed by 2023-06-29 .* all of them on the last, as the first is"):
        list(map(made.slots, np.split(times, [cut])))


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_month_is_a_slot_in_pieces_as_at_once(cut: int) -> None:
    times = np.array(["2024-01-31", "2024-02-29", "2024-04-30", "2024-05-31"], dtype="datetime64[us]")
    made = axis("month", gaps="missing")
    assert np.concatenate([made.slots(part) for part in np.split(times, [cut])]).tolist() == [0, 1, 3, 4]
    assert made.missing == 1
