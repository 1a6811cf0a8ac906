"""Crowd (Nanjing): crowd counts in Nanjing every half hour, 2020-11 to 2021-05 (UniST's collection, KDD 2024)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawSeries

from ._formats import read_first
from ._unist import LONG, SHORT

CARD = DatasetCard(
    name="crowd",
    title="Crowd (Nanjing)",
    city="Nanjing",
    domain="crowd flow",
    grid=(16, 20),
    interval=30,
    start="2020-11-11T00:00",
    slots=9696,
    channels=("crowd",),
    unit="people in the source's unit",
    licence="none stated",
    citation="Yuan et al.: UniST: A Prompt-Empowered Universal Model for Urban Spatio-Temporal Prediction. KDD 2024",
    homepage="https://github.com/tsinghua-fib-lab/UniST",
    how_to_get=(
        "follow the Google Drive or Tsinghua Cloud link in dataset/README.md of the homepage, download "
        "Crowd_short.json and put it into <data dir>/crowd/"
    ),
    formats=("UniST Crowd_short.json (windows of stride 1, with time stamps)",),
    mape_threshold=10.0,
)


def read(folder: Path) -> RawSeries:
    """UniST's windows, glued back."""
    return read_first(CARD, folder, (SHORT, LONG))
