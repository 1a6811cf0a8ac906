"""Arrays in a record: errors per window and by slot of the day, from a record and back, and never trusted."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import record

from bench.errors import StoreError, TrainingError
from bench.records.arrays import RULE, CellErrors, DayErrors, ForecastMap, WindowErrors, stored, values_of
from bench.records.record import DoneRun, dump, parse

ORIGINS = [6, 7, 8, 20, 22, 23]
TRUTH = np.array([[1.0, np.nan, 2.5], [0.0, 4.0, -1.0]])


def errors(origins: list[int] = ORIGINS, day: DayErrors | None = None, scale: float = 1.0) -> WindowErrors:
    count = np.arange(len(origins), dtype=float) + 100
    sums = {"count": count, "absolute": count / 3, "square": count**2 / 7 * scale}
    return WindowErrors.of(per_day=48, origins=np.array(origins), day=day, **sums)


@pytest.mark.parametrize(
    ("origins", "wanted"),
    [
        ([*range(100, 200)], 48),  # every slot has a window
        ([*range(100, 150), *range(400, 450)], 48),  # a gap in time makes no day shorter
        ([*range(6, 600, 12)], 4),  # scenes of 12 slots with a window each
        ([6], 48),
    ],
)
def test_windows_of_a_day_are_counted_by_their_usual_distance(origins: list[int], wanted: int) -> None:
    assert errors(origins).windows_per_day == wanted


def by_slot() -> DayErrors:
    return DayErrors.of(count=np.arange(48.0), absolute=np.arange(48.0) / 3)


def forecast_map(**facts: Any) -> ForecastMap:
    known: dict[str, Any] = {
        "origin": 340,
        "step": 6,
        "slot": 17,
        "per_day": 48,
        "weekday": 4,
        "channel": "in",
        "unit": "trips",
        "grid": (2, 3),
        "truth": stored(TRUTH),
        "forecast": stored(np.nan_to_num(TRUTH) + 1),
    }
    return ForecastMap(**known | facts)


def text_of(values: list[float]) -> str:
    return base64.b64encode(stored(np.array(values))).decode()


def with_arrays(**arrays: Any) -> DoneRun:
    """A record that was written and read again."""
    read = parse(dump(msgspec.structs.replace(record(), **arrays)), "a test")
    assert isinstance(read, DoneRun)
    return read


def refusal(key: str, change: Any) -> str:
    """The one sentence with which a record is refused that has these values in place of its own."""
    values = json.loads(dump(with_arrays(windows=errors(), forecast_map=forecast_map())))
    values[key] = {name: value for name, value in (values[key] | change).items() if value != "absent"}
    with pytest.raises(StoreError, match=r"run 7 is not a result record .* 'stbench run' makes it again") as caught:
        parse(json.dumps(values).encode(), "run 7")
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_packed_window_comes_back_at_seven_digits() -> None:
    count = np.arange(6.0) + 100
    back = with_arrays(windows=errors()).windows
    assert back.starts.tolist() == ORIGINS
    assert back.origins == [(6, 9), (20, 21), (22, 24)]
    assert values_of(back.count).tolist() == count.tolist()
    np.testing.assert_allclose(values_of(back.absolute), count / 3, rtol=1e-7)
    np.testing.assert_allclose(values_of(back.square), count**2 / 7, rtol=1e-7)


@given(st.sets(st.integers(0, 200), min_size=1))
def test_any_origins_come_back(origins: set[int]) -> None:
    chosen = sorted(origins)
    assert with_arrays(windows=errors(chosen)).windows.starts.tolist() == chosen


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"count": "!"}, id="no base64"),
        pytest.param({"count": "AAA="}, id="a torn value"),
        pytest.param({"absolute": text_of([1.0])}, id="too few"),
        pytest.param({"square": text_of([1.0] * 5 + [np.nan])}, id="odd bytes"),
        pytest.param({"square": text_of([1.0] * 5 + [np.inf])}, id="without end"),
        pytest.param({"absolute": text_of([1.0] * 5 + [-1.0])}, id="below nothing"),
        pytest.param({"origins": [[0, 10**15], [10**15, 6]]}, id="a range that runs back"),
        pytest.param({"origins": [[0, 10**15]]}, id="a range without end"),
        pytest.param({"origins": [[0, 10**12]]}, id="a range of more windows than there are sums"),
        pytest.param({"origins": 5}, id="no ranges"),
        pytest.param({"origins": []}, id="no window"),
        pytest.param({"count": None}, id="nothing"),
        pytest.param({"per_day": 0}, id="a day without slots"),
        pytest.param({"per_day": True}, id="a day of truth"),
        pytest.param({"per_day": 10**30}, id="a day without end"),
        pytest.param({"origins": [[20, 23], [6, 9]]}, id="ranges out of order"),
        pytest.param({"origins": [[0, 3], [10**30, 10**30 + 3]]}, id="ranges far apart"),
        pytest.param({"origins": [[-3, 0], [6, 9]]}, id="before the data"),
        pytest.param({"origins": [[0.0, 6.0]]}, id="broken slots"),
        pytest.param({"origins": [[0, 3, 6]]}, id="three bounds"),
        pytest.param({"per_day": "48"}, id="a day in words"),
        *(pytest.param({name: "absent"}, id=f"no {name}") for name in ("per_day", "origins", "count", "square")),
    ],
)
def test_what_cannot_be_read_is_one_sentence(change: dict[str, Any]) -> None:
    assert "$.windows" in refusal("windows", change)


def test_errors_too_large_to_keep_fail_the_run() -> None:
    with pytest.raises(TrainingError, match="the model has diverged"):
        errors(scale=1e40)
    with pytest.raises(TrainingError, match="the model has diverged"):
        DayErrors.of(count=np.ones(48), absolute=np.full(48, np.nan))


def test_errors_by_slot_of_the_day_come_back_and_older_records_have_none() -> None:
    back = with_arrays(windows=errors(day=by_slot())).windows.day
    assert back is not None
    assert values_of(back.count).tolist() == list(range(48))
    np.testing.assert_allclose(values_of(back.absolute), np.arange(48.0) / 3, rtol=1e-7)
    np.testing.assert_allclose(back.mae[1:], 1 / 3, rtol=1e-6)
    assert np.isnan(back.mae[0])
    assert with_arrays(windows=errors()).windows.day is None


@pytest.mark.parametrize(
    "day",
    [
        5,
        {},
        {"count": "!", "absolute": "!"},
        {"count": text_of([1.0] * 48), "absolute": "AAAAAA=="},
        {"count": text_of([1.0] * 47), "absolute": text_of([1.0] * 48)},
        {"count": text_of([1.0] * 48), "absolute": text_of([-1.0] * 48)},
    ],
)
def test_errors_by_slot_that_cannot_be_read_are_one_sentence(day: Any) -> None:
    assert "$.windows" in refusal("windows", {"day": day})


CELLS = {
    "count": np.array([[6.0, 6.0, 0.0]]),
    "absolute": np.array([[3.0, 1.5, 0.0]]),
    "square": np.array([[4.0, 2.0, 0.0]]),
    "idle": np.array([[0.0, 1.0, 1.0]]),  # the last one is padding
    "idle_absolute": np.full(6, 0.25),
}


def by_cell(**changed: Any) -> dict[str, Any]:
    known = {name: text_of(values.ravel().tolist()) for name, values in CELLS.items()}
    return {"cells": {"grid": [1, 3], **known, **changed}}


def test_errors_by_cell_come_back_and_older_records_have_none() -> None:
    made = CellErrors.of(CELLS)
    back = with_arrays(windows=msgspec.structs.replace(errors(), cells=made)).windows.cells
    assert back == made
    np.testing.assert_array_equal(back.mae_map, [[0.5, 0.25, np.nan]])
    assert back.idle_map.tolist() == [[False, True, False]]
    assert (back.idle_share, back.idle_error, back.mae_in_use) == (0.5, pytest.approx(1 / 3), 0.5)
    assert with_arrays(windows=errors()).windows.cells is None


def test_of_idle_cells_alone_there_is_no_error_in_use_and_of_none_no_share() -> None:
    every = CellErrors.of(CELLS | {"idle": np.ones((1, 3))})
    assert np.isnan(every.mae_in_use)
    perfect = CellErrors.of(CELLS | {"absolute": np.zeros((1, 3)), "idle_absolute": np.zeros(6)})
    assert (perfect.idle_error, perfect.mae_in_use) == (0, 0)
    assert CellErrors.of(CELLS | {"idle": np.array([[0.0, 0.0, 1.0]])}).idle_absolute == b""


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"grid": [1, 2]}, id="another grid"),
        pytest.param({"grid": [10**9, 10**9]}, id="a grid without end"),
        pytest.param({"grid": [0, 3]}, id="no row"),
        pytest.param({"count": "!"}, id="no base64"),
        pytest.param({"absolute": text_of([1.0, -1.0, 0.0])}, id="below nothing"),
        pytest.param({"square": text_of([1.0, np.nan, 0.0])}, id="no number"),
        pytest.param({"idle": text_of([0.0, 0.5, 1.0])}, id="half idle"),
        pytest.param({"idle": text_of([0.0, 0.0, 1.0])}, id="windows of idle cells where none is idle"),
        pytest.param({"idle_absolute": ""}, id="no windows of idle cells"),
        pytest.param({"idle_absolute": text_of([0.25] * 5)}, id="too few windows"),
        pytest.param({"another": 1}, id="another key"),
    ],
)
def test_errors_by_cell_that_cannot_be_read_are_one_sentence(change: dict[str, Any]) -> None:
    assert "$.windows" in refusal("windows", by_cell(**change))


def test_errors_by_cell_that_are_all_right_are_read() -> None:
    values = json.loads(dump(with_arrays(windows=errors())))
    values["windows"] |= by_cell()
    read = parse(json.dumps(values).encode(), "run 7")
    assert isinstance(read, DoneRun)
    assert read.windows.cells == CellErrors.of(CELLS)


def test_a_map_comes_back_with_its_gaps_and_its_rule() -> None:
    back = with_arrays(forecast_map=forecast_map()).forecast_map
    assert back == forecast_map()
    np.testing.assert_array_equal(back.truth_map, TRUTH)
    np.testing.assert_array_equal(back.forecast_map, np.nan_to_num(TRUTH) + 1)
    assert back.rule == RULE


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"grid": [2, 2]}, id="another grid"),
        pytest.param({"grid": [-2, -3]}, id="a negative grid"),
        pytest.param({"grid": [2, 3, 1]}, id="three axes"),
        pytest.param({"grid": None}, id="no grid"),
        pytest.param({"truth": "!"}, id="no base64"),
        pytest.param({"truth": "AAA="}, id="a torn value"),
        pytest.param({"truth": 5}, id="a number"),
        pytest.param({"truth": text_of([np.inf] * 6)}, id="a truth without end"),
        pytest.param({"forecast": text_of([np.nan] * 6)}, id="a forecast with gaps"),
        pytest.param({"slot": 48}, id="a slot beyond the day"),
        pytest.param({"slot": True}, id="a slot of truth"),
        pytest.param({"step": 0}, id="no step"),
        pytest.param({"origin": -1}, id="before the data"),
        pytest.param({"weekday": 7}, id="an eighth day"),
        pytest.param({"weekday": "Monday"}, id="a day in words"),
        pytest.param({"unit": None}, id="no unit"),
        pytest.param({"channel": ["in"]}, id="a list of channels"),
    ],
)
def test_a_map_that_cannot_be_read_is_one_sentence(change: dict[str, Any]) -> None:
    assert "$.forecast_map" in refusal("forecast_map", change)


def test_a_map_without_a_key_is_one_sentence() -> None:
    for key in ForecastMap.__struct_fields__:
        if key != "rule":
            assert f"missing required field `{key}` - at `$.forecast_map`" in refusal("forecast_map", {key: "absent"})
