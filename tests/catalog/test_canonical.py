"""The canonical form of a data set: what is masked, what is refused, and the digest of its values."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_grid import CARD as TOY
from toy_grid import the_error

from bench import mapped
from bench.catalog.cache import build
from bench.catalog.canonical import canonical
from bench.clock import MONTH, WEEK, clock_from
from bench.types import RawSeries

CARD = replace(TOY, grid=(2, 3), start=None)


def clock(slots: int = 96) -> np.ndarray:
    return np.array([[t % 48, t // 48 % 7] for t in range(slots)])


def series(values: np.ndarray | None = None, **changes: object) -> RawSeries:
    given = np.ones((96, 2, 2, 3)) if values is None else values
    return replace(RawSeries(values=given, clock=clock(len(given)), layout="npy"), **changes)  # type: ignore[arg-type]


def with_value(value: float) -> np.ndarray:
    values = np.ones((96, 2, 2, 3))
    values[5, 1, 0, 2] = value
    return values


def test_nan_becomes_a_masked_zero() -> None:
    data = canonical(CARD, series(with_value(np.nan)), "npy-1")
    assert data.mask is not None
    assert np.argwhere(~data.mask).tolist() == [[5, 1, 0, 2]]
    assert data.values[5, 1, 0, 2] == 0
    assert data.values.dtype == np.float32
    assert canonical(CARD, series(), "npy-1").mask is None


def test_a_zero_is_missing_only_where_the_card_says_so() -> None:
    assert canonical(CARD, series(with_value(0)), "npy-1").mask is None
    mask = canonical(replace(CARD, zero_is_missing=True), series(with_value(0)), "npy-1").mask
    assert mask is not None
    assert np.argwhere(~mask).tolist() == [[5, 1, 0, 2]]


def test_padding_cells_are_zero_and_never_missing() -> None:
    cell_mask = np.ones((2, 3), dtype=bool)
    cell_mask[0, 2] = False
    for filler in (np.nan, -1.0, np.inf):
        data = canonical(replace(CARD, zero_is_missing=True), series(with_value(filler), cell_mask=cell_mask), "npy-1")
        assert data.mask is None
        assert not data.values[..., 0, 2].any()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"values": np.ones((96, 2, 3, 2))}, "[96, 2, 3, 2]"),
        ({"values": np.ones((96, 3, 2, 3))}, "says [T, 2, 2, 3]"),
        ({"values": np.ones((96, 2, 6))}, "[96, 2, 6]"),
        ({"values": np.ones((0, 2, 2, 3)), "clock": clock(0)}, "[0, 2, 2, 3]"),
        ({"values": with_value(-3)}, "1 negative values down to -3"),
        ({"values": with_value(np.inf)}, "infinite"),
        ({"values": with_value(1e300)}, "infinite"),
        ({"values": np.full((96, 2, 2, 3), np.nan)}, "no value at all"),
        ({"clock": clock(95)}, "clock of shape [95, 2]"),
        ({"clock": clock().astype(float)}, "whole numbers"),
        ({"clock": clock() + 1}, "outside"),
        ({"clock": np.delete(clock(97), 40, axis=0)}, "jumps from [39, 0] to [41, 0] at slot 40"),
        ({"clock": clock() * [1, 0]}, "jumps from [47, 0] to [0, 0] at slot 48"),
        ({"segments": ((0, 50),)}, "tile"),
        ({"segments": ((0, 50), (60, 96))}, "tile"),
        ({"segments": ((50, 96), (0, 50))}, "tile"),
        ({"cell_mask": np.ones((3, 2), dtype=bool)}, "cell mask"),
        ({"cell_mask": np.zeros((2, 3), dtype=bool)}, "cell mask"),
    ],
)
def test_a_series_that_is_not_what_its_card_says_is_one_sentence(changes: dict[str, object], word: str) -> None:
    the_error(lambda: canonical(CARD, series(**changes), "npy-1"), word)  # type: ignore[arg-type]


def test_a_clock_may_jump_between_segments() -> None:
    jumped = np.concatenate([clock()[:40], clock(48)[7:], clock()[:15]])
    segments = ((0, 40), (40, 81), (81, 96))
    assert canonical(CARD, series(clock=jumped, segments=segments), "npy-1").segments == segments
    the_error(lambda: canonical(CARD, series(clock=jumped, segments=((0, 40), (40, 96))), "npy-1"), "slot 81")


def test_one_channel_for_a_card_with_two_is_named_as_either() -> None:
    assert canonical(CARD, series(np.ones((96, 1, 2, 3))), "unist-1").card.channels == ("inflow or outflow",)


@settings(deadline=None)
@given(st.integers(0, 95), st.integers(0, 1), st.integers(0, 1), st.integers(0, 2))
def test_the_digest_sees_every_value(t: int, c: int, r: int, w: int) -> None:
    values = np.ones((96, 2, 2, 3))
    before = canonical(CARD, series(values), "npy-1").identity.sha256
    values[t, c, r, w] = 2
    assert canonical(CARD, series(values), "npy-1").identity.sha256 != before


def with_a_gap() -> RawSeries:
    values = np.arange(96 * 12, dtype=np.float64).reshape(96, 2, 2, 3)
    values[5, 1, 0, 1] = np.nan
    return series(values, cell_mask=np.array([[True, True, False], [True, True, True]]))


def test_the_digest_is_that_of_earlier_versions() -> None:
    whole = series(np.arange(96 * 12, dtype=np.float64).reshape(96, 2, 2, 3))
    digests = [canonical(CARD, raw, "npy-1").identity.sha256 for raw in (whole, with_a_gap())]
    assert digests == [
        "0ca93756d0fc7861d56cf013da42ac2f484159a01f93b0434995c1b20b6c405a",
        "6cec5d64155d4e1bbc7f34b269db6af1e8fa8d5218a14ad177c228ea9c759c82",
    ]


@pytest.mark.parametrize("rows", [1, 5, 6, 96])
def test_pieces_of_any_size_give_the_same(rows: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = canonical(CARD, with_a_gap(), "npy-1")
    monkeypatch.setattr(mapped, "PIECE", 12 * rows)
    file = tmp_path / "toy-0123456789abcdef.npz"
    for data in (canonical(CARD, with_a_gap(), "npy-1"), build(file, CARD, with_a_gap(), "npy-1")):
        assert data.identity == whole.identity
        np.testing.assert_array_equal(data.values, whole.values)
        np.testing.assert_array_equal(data.mask, whole.mask)  # type: ignore[arg-type]


def test_faults_are_counted_over_all_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped, "PIECE", 12)
    values = np.ones((96, 2, 2, 3))
    values[[3, 50, 90], 0, 1, 1] = [-2, -7, -1]
    the_error(lambda: canonical(CARD, series(values), "npy-1"), "3 negative values down to -7")
    nothing = np.full((96, 2, 2, 3), np.nan)
    the_error(lambda: canonical(CARD, series(nothing), "npy-1"), "no value at all")
    nothing[95, 1, 1, 2] = 1
    assert canonical(CARD, series(nothing), "npy-1").mask is not None


@pytest.mark.parametrize("missing", [False, True])
def test_a_large_series_is_never_in_memory_whole(missing: bool, tmp_path: Path) -> None:
    values = np.ones((4096, 1, 64, 64), dtype=np.float32)  # 64 MiB
    values[5::7, 0, 3] = np.nan if missing else 1
    card, raw = replace(CARD, grid=(64, 64)), series(values)
    tracemalloc.start()
    try:
        data = build(tmp_path / "toy-0123456789abcdef.npz", card, raw, "npy-1")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (data.mask is not None) == missing
    assert peak < 0.5 * values.nbytes


@pytest.mark.parametrize("interval", [WEEK, MONTH])
def test_weeks_and_months_go_round_by_the_year(interval: int) -> None:
    card = replace(CARD, interval=interval, start="2014-12-15T00:00")
    whole = RawSeries(values=np.ones((60, 2, 2, 3)), clock=clock_from(card.start, interval, 60), layout="npy")
    assert canonical(card, whole, "npy-1").clock[:3, 0].tolist() == ([50, 51, 0] if interval == WEEK else [11, 0, 1])
    left_out = replace(whole, clock=np.delete(clock_from(card.start, interval, 61), 20, axis=0))
    the_error(lambda: canonical(card, left_out, "npy-1"), "jumps", "consecutive slots of a")
    of_days = replace(whole, clock=whole.clock + np.array([0, 1]))
    the_error(lambda: canonical(card, of_days, "npy-1"), "outside", "slots a year")


def test_the_last_week_of_a_year_may_come_twice_and_no_other() -> None:
    card, slots = replace(CARD, interval=WEEK), np.array([50, 51, 51, 0, 1])
    ticks = np.stack([slots, np.zeros_like(slots)], axis=1)
    values = np.ones((5, 2, 2, 3))
    assert canonical(card, RawSeries(values=values, clock=ticks, layout="npy"), "npy-1").clock[2, 0] == 51
    again = RawSeries(values=values, clock=np.minimum(ticks, [50, 0]), layout="npy")
    the_error(lambda: canonical(card, again, "npy-1"), "jumps from [50, 0] to [50, 0]")
