"""Errors per window: from a record and back, and never trusted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import StoreError, TrainingError
from bench.records.window_errors import DayErrors, WindowErrors, pack, pack_day, unpack, unpack_day

ORIGINS = [6, 7, 8, 20, 22, 23]


def errors(origins=ORIGINS):
    count = np.arange(len(origins), dtype=float) + 100
    return WindowErrors(per_day=48, origins=np.array(origins), count=count, absolute=count / 3, square=count**2 / 7)


def test_a_packed_window_comes_back_at_seven_digits():
    made = errors()
    back = unpack(json.loads(json.dumps(pack(made))), "x")
    assert back.origins.tolist() == ORIGINS
    assert back.count.tolist() == made.count.tolist()
    np.testing.assert_allclose(back.absolute, made.absolute, rtol=1e-7)
    np.testing.assert_allclose(back.square, made.square, rtol=1e-7)


@given(st.sets(st.integers(0, 200), min_size=1))
def test_any_origins_come_back(origins):
    chosen = sorted(origins)
    assert unpack(pack(errors(chosen)), "x").origins.tolist() == chosen


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"count": "!"}, id="no base64"),
        pytest.param({"count": "AAA="}, id="a torn value"),
        pytest.param({"absolute": pack(errors([1]))["absolute"]}, id="too few"),
        pytest.param({"square": pack(errors())["square"][:-4] + "//8="}, id="odd bytes"),
        pytest.param({"origins": [[0, 10**15], [10**15, 6]]}, id="a range that runs back"),
        pytest.param({"origins": [[0, 10**15]]}, id="a range without end"),
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
    ],
)
def test_what_cannot_be_read_is_one_sentence(change):
    with pytest.raises(StoreError, match=r"the window errors of run 7 cannot be read .* move it away and run again"):
        unpack(pack(errors()) | change, "run 7")


def test_errors_too_large_to_keep_fail_the_run():
    made = errors()
    with pytest.raises(TrainingError, match="the model has diverged"):
        pack(replace(made, square=made.square * 1e40))


def by_slot():
    return DayErrors(count=np.arange(48.0), absolute=np.arange(48.0) / 3)


def test_errors_by_slot_of_the_day_come_back_and_older_records_have_none():
    back = unpack_day({**pack(errors()), "day": pack_day(by_slot())}, "x")
    assert back.count.tolist() == by_slot().count.tolist()
    np.testing.assert_allclose(back.absolute, by_slot().absolute, rtol=1e-7)
    assert unpack_day(pack(errors()), "x") is None


@pytest.mark.parametrize(
    "day", [None, 5, {}, {"count": "!", "absolute": "!"}, pack_day(by_slot()) | {"count": "AAAAAA=="}]
)
def test_errors_by_slot_that_cannot_be_read_are_one_sentence(day):
    with pytest.raises(StoreError, match=r"by slot of the day of run 7 cannot be read .* move it away and run again"):
        unpack_day({**pack(errors()), "day": day}, "run 7")
