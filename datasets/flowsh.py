"""MobileSH16: mobile flow in 20 x 20 cells of Shanghai, one week in 15-minute slots.

The weekday column of the source's ``MobileSH16_ts.npy`` is wrong (it changes every 84 or 112 slots), so that file is
not read: the clock counts slots from the midnight of a Monday, which is the source's first label. Almost all of the
first eight hours is an outage: 28 slots are zero everywhere and count as missing.
"""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import plain_npy, read_first

CARD = DatasetCard(
    name="flowsh",
    title="MobileSH16",
    city="Shanghai",
    domain="mobile flow",
    grid=(20, 20),
    interval=15,
    start=None,
    slots=672,
    channels=("flow",),
    unit="mobile flow in the source's unit",
    licence="none stated",
    citation="MobileSH16, published with a study of diffusion models for mobile traffic; no paper of its own is known",
    homepage="",
    how_to_get="put MobileSH16.npy into <data dir>/flowsh/; no stable address is known",
    formats=(
        "MobileSH16.npy ([672, 400, 1], 20 x 20 cells row by row; clock from the slot index; silent slots are missing)",
    ),
    files=(
        RawFile(name="MobileSH16.npy", sha256="91ee47e5514524a219d3d65a6ef8d93aff4cb58b9edb74d42e841cb3ab5d9f23"),
        RawFile(name="MobileSH16_ts.npy", sha256="5d32f8589e2ee08ca1ed1f881ced9b0844d47feea4fea3a85d2518a70560a123"),
    ),
)


def read(folder: Path) -> RawSeries:
    """The array, with a clock counted from its first slot."""
    return read_first(CARD, folder, (plain_npy("MobileSH16.npy"),))
