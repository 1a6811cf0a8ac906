"""The canonical form of a data set: what is masked, what is refused, and the digest of its values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_grid import CARD as TOY
from toy_grid import the_error

from bench.catalog.canonical import canonical
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
