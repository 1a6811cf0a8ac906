"""What these data sets have in common."""

from __future__ import annotations

import numpy as np

from bench.types import DatasetCard, RawSeries

GRID = (3, 4)
SLOTS = 400


def card(name: str) -> DatasetCard:
    return DatasetCard(
        name=name,
        title="Faulty city",
        city="Nowhere",
        domain="toy flow",
        grid=GRID,
        interval=30,
        start="2020-01-06T00:00",
        slots=SLOTS,
        channels=("in", "out"),
        unit="trips",
        licence="none",
        citation="none",
        homepage="",
        how_to_get="",
        formats=(),
    )


def series() -> RawSeries:
    slots = np.arange(SLOTS)
    values = np.ones((SLOTS, 2, *GRID))
    return RawSeries(values=values, clock=np.stack([slots % 48, slots // 48 % 7], axis=1), layout="made")
