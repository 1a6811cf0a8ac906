"""NYC-Bike (10 x 20): bike trip starts and ends in New York City, 60 days from 2016-07-01 (Yao et al., AAAI 2019)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import nodes, parts, read_first, zipped_parts
from ._unist import LONG, SHORT

PIECES = ("bike_volume_train.npz", "bike_volume_test.npz")

CARD = DatasetCard(
    name="bikenyc",
    title="BikeNYC",
    city="New York City",
    source="Citi Bike",
    domain="bike flow",
    grid=(10, 20),
    interval=30,
    start="2016-07-01T00:00",
    slots=2880,
    channels=("start", "end"),
    unit="bikes per half hour",
    licence="none stated",
    citation=(
        "Yao et al.: Revisiting Spatial-Temporal Similarity: A Deep Learning Framework for Traffic Prediction. "
        "AAAI 2019"
    ),
    homepage="https://github.com/tangxianfeng/STDN",
    how_to_get=(
        "download data.zip from https://github.com/tangxianfeng/STDN and put it, or bike_volume_train.npz and "
        "bike_volume_test.npz out of it, into <data dir>/bikenyc/"
    ),
    formats=(
        "NYCBike2.npz (array data [2880, 200, 3])",
        "bike_volume_train.npz and bike_volume_test.npz (STDN's arrays volume [T, 10, 20, 2])",
        "data.zip (STDN's archive with these two in it)",
        "UniST's *_short.json (one channel; the file does not say which)",
    ),
    files=(
        RawFile(name="NYCBike2.npz", sha256="08ec4fe7cca5bb641d1e9bf92fae022f1942bff42227c72d543ef2284dc896b0"),
        RawFile(name="data.zip", url="https://github.com/tangxianfeng/STDN/raw/master/data.zip"),
    ),
)


def read(folder: Path) -> RawSeries:
    """One npz by nodes, STDN's two pieces, or UniST's windows."""
    stdn = (parts("stdn", "volume", *PIECES), zipped_parts("stdn", "volume", "data.zip", *PIECES))
    return read_first(CARD, folder, (nodes("NYCBike2.npz"), *stdn, SHORT, LONG))
