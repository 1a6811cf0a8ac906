"""One look for all figures: colours told apart by everyone, text drawn as it is, the same bytes for the same data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.whole import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito: safe without red and green
SKY: Final = "#56B4E9"  # of the same two
GREY: Final = "#6b6b6b"
PALE: Final = "#c4c4c4"  # of what stands behind
WARNING: Final = "#B00020"


@contextmanager
def plain_text() -> Iterator[None]:
    """Titles, names and units are drawn as they are: a ``$`` begins no formula, an unknown sign becomes a box."""
    import matplotlib as mpl

    # 42: text stays text in a PDF
    with mpl.rc_context({"text.parse_math": False, "pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support", UserWarning)
        yield


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole or not at all, in the format of its name, without dates; returns ``path``."""
    dateless = (
        {"CreationDate": None, "Creator": None, "Producer": None} if path.suffix == ".pdf" else {"Software": None}
    )
    with whole(path) as part:
        figure.savefig(part, format=path.suffix.removeprefix("."), metadata=dateless)
    return path
