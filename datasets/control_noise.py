"""A negative control: cells that have nothing to do with each other, so that no backbone can help.

Every cell follows one daily rhythm, with noise of its own at every slot. The rhythm depends on the time of day alone,
and each window begins at midnight, so that a bias for each step to forecast knows all that can be known: what is left
is the noise, the same for every model. Nothing is where or what anything else is. A comparison that finds a difference
of weights here would find one everywhere.

Synthetic always; made by this file alone, from a fixed seed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.clock import clock_from
from bench.errors import DataError
from bench.types import DatasetCard, RawSeries

VERSION = 1
SEED = 13
DAYS = 800
SLOTS = 12  # of a day: half to see, half to forecast
RHYTHM = 0.5
NOISE = 1.0

CARD = DatasetCard(
    name="control_noise",
    title="Negative control: noise",
    city="none",
    domain="synthetic noise around a daily rhythm",
    grid=(16, 16),
    interval=120,
    start="2024-01-01T00:00",
    slots=DAYS * SLOTS,
    channels=("value",),
    unit="standard deviations of the noise",
    licence="Apache-2.0",
    citation="This project.",
    homepage="none",
    how_to_get="there is nothing to get, it is made by the project; leave <data dir>/control_noise/ empty",
    formats=("none, it is always synthetic",),
    nonnegative=False,
    mape_threshold=0.5,
)


def make() -> RawSeries:
    """All days one after another, each a segment, so that each is one window of a task of 6 steps to 6."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    clock = clock_from(CARD.start, CARD.interval, CARD.slots)
    rhythm = RHYTHM * np.sin(2 * np.pi * clock[:, 0] / SLOTS)
    values = rhythm[:, None, None, None] + NOISE * rng.standard_normal((CARD.slots, 1, *CARD.grid))
    segments = tuple((start, start + SLOTS) for start in range(0, CARD.slots, SLOTS))
    return RawSeries(values=np.round(values, 3), clock=clock, layout="synthetic", segments=segments)


def read(folder: Path) -> RawSeries:
    """Never: files in its folder cannot be this data set.

    Raises:
        DataError: Always.
    """
    raise DataError(f"{CARD.name} is made by the project and read from no file; empty {folder}")
