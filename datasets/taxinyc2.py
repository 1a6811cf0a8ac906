"""TaxiNYC (16 x 12): taxi in- and outflow of New York City, 90 days from 2016-01-01 (Lin et al., KDD 2020)."""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import parts, read_first
from ._unist import LONG, SHORT

DIGESTS = {
    "flow_train.npz": "a972c671e2916e300c545c48d4b2f4b1f803b8c6e653d1e6eb1b0d27004245d1",
    "flow_val.npz": "f9b58bdeeafd8e12d516603cfcbdf5a80c745f4e35614363b06ffcf431d002b5",
    "flow_test.npz": "5f1fc043214fcc6f0fbea0de06e9d4ba85d8492d3e7f6c0d322ccfea135ff840",
}

CARD = DatasetCard(
    name="taxinyc2",
    title="TaxiNYC2",
    city="New York City",
    source="NYC Taxi and Limousine Commission",
    domain="taxi flow",
    grid=(16, 12),
    interval=30,
    start="2016-01-01T00:00",
    slots=4320,
    channels=("inflow", "outflow"),
    unit="taxis per half hour",
    licence="none stated",
    citation=("Lin et al.: Preserving Dynamic Attention for Long-Term Spatial-Temporal Prediction. KDD 2020"),
    homepage="https://github.com/haoxingl/DSAN",
    how_to_get=(
        "follow the data link in the homepage's README, download the 90-day flow_train.npz, flow_val.npz and "
        "flow_test.npz of NYC taxis and put them into <data dir>/taxinyc2/"
    ),
    formats=(
        "flow_train.npz, flow_val.npz and flow_test.npz (arrays flow [T, 16, 12, 2], end to end)",
        "UniST's *_short.json (one channel, which one the file does not say; the first 60 days)",
    ),
    files=tuple(RawFile(name=name, sha256=digest) for name, digest in DIGESTS.items()),
)


def read(folder: Path) -> RawSeries:
    """Three consecutive pieces, or UniST's windows."""
    return read_first(CARD, folder, (parts("npz", "flow", *DIGESTS), SHORT, LONG))
