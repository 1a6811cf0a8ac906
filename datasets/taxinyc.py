"""NYC-Taxi (10 x 20): taxi trip starts and ends in New York City, 60 days from 2015-01-01 (Yao et al., AAAI 2019)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import nodes, parts, read_first, zipped_parts
from ._unist import LONG, SHORT

PIECES = ("volume_train.npz", "volume_test.npz")

CARD = DatasetCard(
    name="taxinyc",
    title="TaxiNYC",
    city="New York City",
    source="NYC Taxi and Limousine Commission",
    domain="taxi flow",
    grid=(10, 20),
    interval=30,
    start="2015-01-01T00:00",
    slots=2880,
    channels=("start", "end"),
    unit="taxis per half hour",
    licence="none stated",
    citation=(
        "Yao et al.: Revisiting Spatial-Temporal Similarity: A Deep Learning Framework for Traffic Prediction. "
        "AAAI 2019"
    ),
    homepage="https://github.com/tangxianfeng/STDN",
    how_to_get=(
        "download data.zip from https://github.com/tangxianfeng/STDN and put it, or volume_train.npz and "
        "volume_test.npz out of it, into <data dir>/taxinyc/"
    ),
    formats=(
        "NYCTaxi.npz (array data [2880, 200, 3])",
        "volume_train.npz and volume_test.npz (STDN's arrays volume [T, 10, 20, 2])",
        "data.zip (STDN's archive with these two in it)",
        "UniST's *_short.json (one channel; the file does not say which)",
    ),
    files=(
        RawFile(name="NYCTaxi.npz", sha256="c4b734497f75c748b74c856fe90c3d82c0166940b3a5ca38ea362b1718f2db9d"),
        RawFile(name="data.zip", url="https://github.com/tangxianfeng/STDN/raw/master/data.zip"),
    ),
)


def read(folder: Path) -> RawSeries:
    """One npz by nodes, STDN's two pieces, or UniST's windows."""
    stdn = (parts("stdn", "volume", *PIECES), zipped_parts("stdn", "volume", "data.zip", *PIECES))
    return read_first(CARD, folder, (nodes("NYCTaxi.npz"), *stdn, SHORT, LONG))
