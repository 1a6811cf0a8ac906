"""A toy data set of two flows on a grid: its card, counts and clock, and what a reader must answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from bench.errors import DataError
from bench.types import DatasetCard, RawSeries

T, C, H, W = 96, 2, 3, 4
CARD = DatasetCard(
    name="toy",
    title="Toy",
    city="",
    domain="taxi flow",
    grid=(H, W),
    interval=30,
    start="2016-07-01T00:00",  # a Friday
    slots=T,
    channels=("inflow", "outflow"),
    unit="taxis",
    licence="",
    citation="",
    homepage="",
    how_to_get="make it",
    formats=("a toy",),
)
ONE = replace(CARD, channels=("inflow",))
CLOCK = np.array([[t % 48, (4 + t // 48) % 7] for t in range(T)])


def counts(channels: int = C, slots: int = T, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 90, (slots, channels, H, W)).astype(float)


def the_error(read: Callable[[], object], *words: str) -> str:
    with pytest.raises(DataError) as caught:
        read()
    message = str(caught.value)
    assert "\n" not in message
    assert not message.endswith(".")
    for word in words:
        assert word in message
    return message


def same(series: RawSeries, values: np.ndarray, clock: np.ndarray = CLOCK) -> None:
    np.testing.assert_array_equal(series.values, values)
    np.testing.assert_array_equal(series.clock, clock)
