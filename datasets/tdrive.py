"""T-Drive: hourly taxi in- and outflow of Beijing, February to June 2015 (Yuan et al., GIS 2010; grid by LibCity)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawSeries

from ._formats import grid_csv, read_first
from ._unist import LONG, SHORT

CARD = DatasetCard(
    name="tdrive",
    title="T-Drive",
    city="Beijing",
    domain="taxi flow",
    grid=(32, 32),
    interval=60,
    start="2015-02-01T00:00",
    slots=3600,
    channels=("inflow", "outflow"),
    unit="taxis per hour",
    licence="none stated",
    citation="Wang et al.: LibCity: An Open Library for Traffic Prediction. SIGSPATIAL 2021",
    homepage="https://github.com/LibCity/Bigscity-LibCity",
    how_to_get=(
        "follow the data link in the homepage's README, download T_DRIVE of 2015-02 to 2015-06 and put its "
        ".grid file into <data dir>/tdrive/"
    ),
    formats=(
        "LibCity *.grid (CSV by time and cell, without a gap; an hour of zeros everywhere is an outage and missing)",
        "UniST TDrive_short.json (one channel; the file does not say which)",
    ),
)


def read(folder: Path) -> RawSeries:
    """LibCity's grid file, whatever its period, or UniST's windows."""
    return read_first(CARD, folder, (grid_csv("*.grid"), SHORT, LONG))
