"""One look for all figures: colours told apart by everyone, text drawn as it is, the same bytes for the same data.

A figure that is drawn is a ``Picture``: the bytes of its files, for folders, the report and the supplement alike.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.errors import StoreError
from bench.files import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"  # Okabe and Ito: safe without red and green
SKY: Final = "#56B4E9"  # of the same two
GREY: Final = "#6b6b6b"
PALE: Final = "#c4c4c4"  # of what stands behind
WARNING: Final = "#B00020"
FORMATS = (".png", ".pdf")
Step = Callable[[str], None]
"""Is told what is being made, where that takes seconds."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure as files.

    Attributes:
        name: Of its files, without an ending.
        title: Its question and what it is about.
        caption: How to read it.
        files: Their contents by their endings.
    """

    name: str
    title: str
    caption: str
    files: Mapping[str, bytes]


@contextmanager
def plain_text() -> Iterator[None]:
    """Titles, names and units are drawn as they are: a ``$`` begins no formula, an unknown sign becomes a box."""
    import matplotlib as mpl

    # 42: text stays text in a PDF
    with mpl.rc_context({"text.parse_math": False, "pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support", UserWarning)
        yield


def picture(name: str, figure: Figure, formats: Iterable[str] = FORMATS) -> Picture:
    """Draw a figure; its files have no dates."""
    title, caption = (" ".join(text.split()) for text in (figure.get_suptitle(), figure.get_supxlabel()))
    files = {ending: _drawn(figure, ending) for ending in formats}
    return Picture(name=name, title=title, caption=caption, files=files)


def write_pictures(pictures: Iterable[Picture], folder: Path, mine: Callable[[str], bool]) -> list[Path]:
    """Write every file, each whole or not at all, and drop those of a name that is ``mine`` and not among them.

    Raises:
        StoreError: If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = [
            _write(content, folder / f"{each.name}{ending}")
            for each in pictures
            for ending, content in each.files.items()
        ]
        for path in folder.iterdir():
            if path.suffix in FORMATS and path not in written and mine(path.stem):
                path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            f"the figures cannot be written to {folder} ({error}); check the folder's space and rights"
        ) from error
    return written


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole or not at all, in the format of its name; returns ``path``."""
    return _write(_drawn(figure, path.suffix), path)


def _drawn(figure: Figure, ending: str) -> bytes:
    dateless = {"CreationDate": None, "Creator": None, "Producer": None} if ending == ".pdf" else {"Software": None}
    buffer = BytesIO()
    figure.savefig(buffer, format=ending.removeprefix("."), metadata=dateless)
    return buffer.getvalue()


def _write(content: bytes, path: Path) -> Path:
    with whole(path) as part:
        part.write_bytes(content)
    return path
