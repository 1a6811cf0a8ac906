"""BikeNYC (16 x 8): new and ended bike trips in New York City, hourly, summer 2014 (Zhang, Zheng and Qi, AAAI 2017)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import read_first, stamped_h5
from ._unist import LONG, SHORT

FILE = "NYC14_M16x8_T60_NewEnd.h5"

CARD = DatasetCard(
    name="bikenyc2",
    title="BikeNYC2",
    city="New York City",
    source="Citi Bike",
    domain="bike flow",
    grid=(16, 8),
    interval=60,
    start="2014-04-01T00:00",
    slots=4392,
    channels=("new", "end"),
    unit="bikes per hour",
    licence="none stated",
    citation=(
        "Zhang, Zheng and Qi: Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction. AAAI 2017"
    ),
    homepage="https://github.com/TolicWang/DeepST/tree/master/data/BikeNYC",
    how_to_get=(
        f"follow the OneDrive link in the homepage's README, download {FILE} and put it into <data dir>/bikenyc2/"
    ),
    formats=(
        f"{FILE} (the authors' HDF5, hours 01 to 24)",
        "UniST's *_short.json (one channel; the file does not say which)",
    ),
    files=(RawFile(name=FILE, sha256="4a4ad6aa703b127b133e2b04f6dfe5b79e9da9805bff7c4ca7da5a1bcbbca772"),),
)


def read(folder: Path) -> RawSeries:
    """The authors' HDF5, or UniST's windows."""
    return read_first(CARD, folder, (stamped_h5(FILE), SHORT, LONG))
