"""Harbour: ships in 4 x 5 cells, hourly, from one npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.clock import clock_from
from bench.errors import DataError
from bench.types import DatasetCard, RawSeries

CARD = DatasetCard(
    name="harbour",
    title="Harbour",
    city="Nowhere",
    domain="ship traffic",
    grid=(4, 5),
    interval=60,
    start="2024-01-01T00:00",
    slots=720,
    channels=("ships",),
    unit="ships per hour",
    licence="made up",
    citation="none: an example",
    homepage="",
    how_to_get="put harbour.npz, with an array 'ships' of [T, 4, 5], into <data dir>/harbour/",
    formats=("harbour.npz (ships [T, 4, 5])",),
)


def read(folder: Path) -> RawSeries:
    """The array and its clock.

    Raises:
        DataError: If there is no such array.
    """
    try:
        with np.load(folder / "harbour.npz", allow_pickle=False) as file:
            ships = file["ships"]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{folder / 'harbour.npz'} holds no array 'ships' ({error}); {CARD.how_to_get}") from error
    clock = clock_from(CARD.start, CARD.interval, len(ships))
    return RawSeries(values=ships[:, None], clock=clock, layout="npz")  # [T, 1, 4, 5]
