"""BikeDC: bike demand in 20 x 20 cells of Washington, D.C., 30 days in half-hour slots.

The dates are not known, so the clock counts from the midnight of a day called Monday. One slot, at 14:00, is zero
everywhere: an outage, which counts as missing.
"""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import plain_npy, read_first

CARD = DatasetCard(
    name="bikedc",
    title="BikeDC",
    city="Washington, D.C.",
    domain="bike flow",
    grid=(20, 20),
    interval=30,
    start=None,
    slots=1440,
    channels=("demand",),
    unit="bikes per half hour",
    licence="none stated",
    citation="BikeDC, published with a study of diffusion models; no paper of its own is known",
    homepage="",
    how_to_get="put BikeDC.npy into <data dir>/bikedc/; no stable address is known",
    formats=("BikeDC.npy ([1440, 20, 20]; a silent slot is missing)",),
    files=(RawFile(name="BikeDC.npy", sha256="96db06f862c69df2a9b01f43e3a4e43fd15b975f9519bbc57e5062e6995f1c7c"),),
)


def read(folder: Path) -> RawSeries:
    """The array, with a clock counted from its first slot."""
    return read_first(CARD, folder, (plain_npy("BikeDC.npy"),))
