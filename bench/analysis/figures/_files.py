"""Figures as files: the same bytes for the same results, for folders, the report and the supplement alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.analysis.results import Results

FORMATS = (".png", ".pdf")


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


def pictures(
    results: Results,
    names: Iterable[str],
    formats: Sequence[str] = FORMATS,
    *,
    step: Callable[[str], None] = lambda _: None,
) -> Iterator[Picture]:
    """Every figure of these names, of which each is a suite or one of ``artefacts("figures")``.

    A figure is called ``<name>-<label>``, and without a label by its number, from 1.
    ``step`` is given what is drawn next.
    """
    for name in names:
        step(f"figures: {name}")
        with plain_text():
            drawn = [
                picture(f"{name}-{figure.get_label() or number}", figure, formats)
                for number, figure in enumerate(results.plot(name), start=1)
            ]
        yield from drawn


def figure_files(
    results: Results,
    names: Sequence[str],
    formats: Sequence[str] = FORMATS,
    *,
    present: Iterable[str] = (),
    step: Callable[[str], None] = lambda _: None,
) -> dict[str, bytes | None]:
    """The contents of all files by their names.

    Args:
        results: What is drawn.
        names: As in ``pictures``.
        formats: Endings of files.
        present: The files of a folder. Those that are figures of these names and no longer drawn are None.
        step: Is given each name before it is drawn.
    """
    drawn: dict[str, bytes | None] = {
        f"{shown.name}{ending}": content
        for shown in pictures(results, names, formats, step=step)
        for ending, content in shown.files.items()
    }
    former = [file for file in present if file.endswith(FORMATS) and _figure_of(file) in names]
    return drawn | {file: None for file in sorted(former) if file not in drawn}


def picture(name: str, figure: Figure, formats: Iterable[str] = FORMATS) -> Picture:
    """Draw a figure; its files have no dates."""
    title, caption = (" ".join(text.split()) for text in (figure.get_suptitle(), figure.get_supxlabel()))
    return Picture(
        name=name, title=title, caption=caption, files={ending: _drawn(figure, ending) for ending in formats}
    )


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole or not at all, in the format of its name; returns ``path``."""
    content = _drawn(figure, path.suffix)
    with atomic_write(path) as part:
        part.write_bytes(content)
    return path


@contextmanager
def plain_text() -> Iterator[None]:
    """Titles, names and units are drawn as they are: a ``$`` begins no formula, an unknown sign becomes a box."""
    import matplotlib as mpl

    # 42: text stays text in a PDF
    with mpl.rc_context({"text.parse_math": False, "pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support", UserWarning)
        yield


def _figure_of(file: str) -> str:
    """The name in ``<name>-<label or number>.<ending>``: no name has a hyphen."""
    name, hyphen, _ = file.partition("-")
    return name if hyphen else ""


def _drawn(figure: Figure, ending: str) -> bytes:
    dateless = {"CreationDate": None, "Creator": None, "Producer": None} if ending == ".pdf" else {"Software": None}
    buffer = BytesIO()
    figure.savefig(buffer, format=ending.removeprefix("."), metadata=dateless)
    return buffer.getvalue()
