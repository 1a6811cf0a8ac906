"""Los-loop: speed at 207 loop detectors on highways of Los Angeles, one week in 5-minute slots (Zhao et al., T-GCN).

The detectors lie on a canvas of 18 x 12 cells, in the order of the file's columns and row by row, so that neighbours on
the canvas need not be neighbours on the road; the last nine cells are padding.
"""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import read_first, sensor_csv

CARD = DatasetCard(
    name="los_speed",
    title="Los-loop",
    city="Los Angeles",
    domain="road speed",
    grid=(18, 12),
    interval=5,
    start="2012-03-01T00:00",
    slots=2016,
    channels=("speed",),
    unit="mph",
    licence="none stated",
    citation="Zhao et al.: T-GCN: A Temporal Graph Convolutional Network for Traffic Prediction. IEEE T-ITS 2020",
    homepage="https://github.com/lehaifeng/T-GCN",
    how_to_get="download los_speed.csv from the data folder of the homepage and put it into <data dir>/los_speed/",
    formats=("los_speed.csv (one column per detector, one line per slot; a zero or an empty field is missing)",),
    files=(
        RawFile(name="los_speed.csv", sha256="7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4"),
        RawFile(name="los_adj.csv", sha256="7a6eb41e10677992b5af50f5ab187c6c05c5c3a92cb973950cfddbf857361e76"),
    ),
    zero_is_missing=True,
    mape_threshold=1.0,
)


def read(folder: Path) -> RawSeries:
    """The detectors' CSV on the canvas."""
    return read_first(CARD, folder, (sensor_csv("los_speed.csv"),))
