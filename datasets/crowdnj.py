"""MobileNJ: mobile users in 20 x 28 cells of Nanjing, hourly for three weeks.

The values are scaled by the source: times 40,000 they are whole numbers. Weekday and hour come from the file beside
them; the dates are not known.
"""

from __future__ import annotations

from pathlib import Path

from bench.types import DatasetCard, RawFile, RawSeries

from ._formats import clocked_npy, read_first

CARD = DatasetCard(
    name="crowdnj",
    title="MobileNJ",
    city="Nanjing",
    domain="crowd flow",
    grid=(20, 28),
    interval=60,
    start=None,
    slots=504,
    channels=("users",),
    unit="mobile users in the source's scale (1/40,000)",
    licence="none stated",
    citation="MobileNJ, published with a study of diffusion models for mobile traffic; no paper of its own is known",
    homepage="",
    how_to_get="put MobileNJ.npy and MobileNJ_ts.npy into <data dir>/crowdnj/; no stable address is known",
    formats=(
        "MobileNJ.npy ([504, 560, 1], 20 x 28 cells row by row) and MobileNJ_ts.npy (weekday, Sunday is 0, and hour)",
    ),
    files=(
        RawFile(name="MobileNJ.npy", sha256="1a112675d55ed73b6c9b4f7ff3d55c4f3c5da29293834b098a69178e3eef1311"),
        RawFile(name="MobileNJ_ts.npy", sha256="e1fe6f2e17d5a10575d10b976c242daaff7dfac0588866970ac6426e34a7edbb"),
    ),
    mape_threshold=0.1,
)


def read(folder: Path) -> RawSeries:
    """The array, with the clock beside it."""
    return read_first(CARD, folder, (clocked_npy("MobileNJ.npy", "MobileNJ_ts.npy"),))
