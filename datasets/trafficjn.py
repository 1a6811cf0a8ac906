"""Traffic (Jinan): road speed in Jinan every half hour, March 2022 (in the UniST collection, KDD 2024)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawSeries

from ._formats import read_first
from ._unist import LONG, SHORT

CARD = DatasetCard(
    name="trafficjn",
    title="Traffic (Jinan)",
    city="Jinan",
    source="road speeds of UniST's collection",
    domain="road speed",
    grid=(32, 18),
    interval=30,
    start="2022-03-05T00:00",
    slots=1536,
    channels=("speed",),
    unit="speed in the source's unit",
    licence="none stated",
    citation="Yuan et al.: UniST: A Prompt-Empowered Universal Model for Urban Spatio-Temporal Prediction. KDD 2024",
    homepage="https://github.com/tsinghua-fib-lab/UniST",
    how_to_get=(
        "follow the Google Drive or Tsinghua Cloud link in dataset/README.md of the homepage, download "
        "TrafficJN_short.json and put it into <data dir>/trafficjn/"
    ),
    formats=("UniST TrafficJN_short.json (windows of stride 1, with time stamps)",),
    mape_threshold=1.0,
)


def read(folder: Path) -> RawSeries:
    """UniST's windows, glued back."""
    return read_first(CARD, folder, (SHORT, LONG))
