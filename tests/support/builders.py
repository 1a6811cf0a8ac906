"""Small data sets and models for tests."""

from __future__ import annotations

import numpy as np

from bench.clock import MONTH, clock_from
from bench.types import DataIdentity, DatasetCard, SpatioTemporalData


def make_card(name="toy", grid=(3, 4), channels=2, slots=400, **facts):
    known = {
        "title": "Toy flow",
        "city": "Nowhere",
        "domain": "toy flow",
        "interval": 30,
        "start": "2020-01-06T00:00",
        "unit": "trips",
        "licence": "none",
        "citation": "none",
        "homepage": "https://example.org",
        "how_to_get": "make it",
        "formats": ("npz",),
        "mape_threshold": 5.0,
    }
    names = tuple(f"channel {number}" for number in range(channels))
    return DatasetCard(name=name, grid=grid, channels=names, slots=slots, **(known | facts))


def make_data(slots=400, grid=(3, 4), channels=2, values=None, mask=None, cell_mask=None, segments=None):
    """A daily wave of counts that differs by cell, with Poisson noise; the same at every call."""
    time = np.arange(slots)
    if values is None:
        generator = np.random.default_rng(7)
        height = generator.uniform(5, 40, size=(channels, *grid))
        wave = 1.2 + np.sin(2 * np.pi * time / 48)[:, None, None, None]
        values = generator.poisson(wave * height).astype(np.float32)
    return SpatioTemporalData(
        card=make_card(grid=grid, channels=channels, slots=slots),
        identity=DataIdentity(name="toy", version="toy-1", sha256="0" * 64, synthetic=False),
        values=values,
        mask=mask,
        cell_mask=np.ones(grid, dtype=bool) if cell_mask is None else cell_mask,
        clock=np.stack([time % 48, time // 48 % 7], axis=1),
        segments=((0, slots),) if segments is None else segments,
    )


def make_months(years=20, noise=0.0, interval=MONTH, **facts):
    """A wave of a year that differs by cell, of months or weeks, with noise if any; the same at every call."""
    generator = np.random.default_rng(3)
    card = make_card(channels=1, interval=interval, start="2000-01-31T00:00", unit="mm", **facts)
    clock = clock_from(card.start, interval, years * card.slots_per_day)
    year = generator.uniform(5, 40, size=(card.slots_per_day, 1, *card.grid))
    values = year[clock[:, 0]] + noise * generator.standard_normal((len(clock), 1, *card.grid))
    return SpatioTemporalData(
        card=card,
        identity=DataIdentity(name="toy", version="toy-1", sha256="1" * 64, synthetic=False),
        values=values.astype(np.float32),
        mask=None,
        cell_mask=np.ones(card.grid, dtype=bool),
        clock=clock,
        segments=((0, len(clock)),),
    )
