"""TaxiBJ: taxi in- and outflow of Beijing in four pieces with years between them (Zhang, Zheng and Qi, AAAI 2017)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import read_first, stamped_h5
from ._unist import LONG, SHORT

PIECES = tuple(f"BJ{year}_M32x32_T30_InOut.h5" for year in (13, 14, 15, 16))

CARD = DatasetCard(
    name="taxibj",
    title="TaxiBJ",
    city="Beijing",
    domain="taxi flow",
    grid=(32, 32),
    interval=30,
    start="2013-07-01T00:00",
    slots=22_459,
    channels=("inflow", "outflow"),
    unit="taxis per half hour",
    licence="none stated",
    citation=(
        "Zhang, Zheng and Qi: Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction. AAAI 2017"
    ),
    homepage="https://github.com/TolicWang/DeepST/tree/master/data/TaxiBJ",
    how_to_get=(
        f"follow the OneDrive link in the homepage's README, download {', '.join(PIECES)} and put them into "
        "<data dir>/taxibj/"
    ),
    formats=(
        f"{', '.join(PIECES)} (the authors' HDF5, all four; a skip of time starts a new segment)",
        "UniST TaxiBJ_short.json (one channel; the file does not say which)",
    ),
    files=tuple(RawFile(name=name) for name in PIECES),
)


def read(folder: Path) -> RawSeries:
    """The authors' HDF5, or UniST's windows."""
    return read_first(CARD, folder, (stamped_h5(*PIECES), SHORT, LONG))
