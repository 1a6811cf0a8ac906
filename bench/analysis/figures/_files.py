"""Figures as files: the same bytes for the same results, for folders, the report and the supplement alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.analysis.figures._fonts import cover, warn_of
from bench.analysis.figures._style import LOOK, WIDTHS, with_texts
from bench.analysis.formats.latex import figure_latex
from bench.errors import UnknownNameError
from bench.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bench.analysis.results import Results

FORMATS = (".png", ".pdf")
KNOWN = (".png", ".pdf", ".svg")
BESIDE = ".tex"  # beside every figure that is written, with its caption


@dataclass(frozen=True, kw_only=True)
class Look:
    """How figures are drawn.

    Attributes:
        width: "page" for all of a page, "column" for one column of two.
        titles: Whether title and caption are drawn; else they stand beside the figure alone.
        formats: Endings of the files.
    """

    width: str = "page"
    titles: bool = False
    formats: tuple[str, ...] = FORMATS

    def __post_init__(self) -> None:
        if self.width not in WIDTHS:
            raise UnknownNameError("width", self.width, WIDTHS)
        for ending in self.formats:
            if ending not in KNOWN:
                raise UnknownNameError("format", ending.removeprefix("."), [known[1:] for known in KNOWN])


LOOK_OF_PAGE = Look()


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure as files.

    Attributes:
        name: Of its files, without an ending.
        title: Its question and what it is about.
        caption: How to read it.
        files: Their contents by their endings, the caption as LaTeX among them.
        missing: Letters that no font here has.
    """

    name: str
    title: str
    caption: str
    files: Mapping[str, bytes]
    missing: str = ""


def figures_of(results: Results, name: str, look: Look = LOOK_OF_PAGE) -> list[Figure]:
    """The figures of a name, which is a suite or one of ``artefacts("figures")``, with titles if the look has them."""
    module, arguments = results.maker("figures", name)
    with plain_text(look.width):
        return [with_texts(figure) if look.titles else figure for figure in module.draw(*arguments)]


def pictures(
    results: Results,
    names: Iterable[str],
    look: Look = LOOK_OF_PAGE,
    *,
    step: Callable[[str], None] = lambda _: None,
) -> Iterator[Picture]:
    """Every figure of these names, of which each is a suite or one of ``artefacts("figures")``.

    A figure is called ``<name>-<label>``, and without a label by its number, from 1.
    ``step`` is given what is drawn next. A last warning names letters that no font has.
    """
    missing: dict[str, str] = {}
    for name in names:
        step(f"figures: {name}")
        with plain_text():
            made = [
                picture(f"{name}-{figure.get_label() or number}", figure, look)
                for number, figure in enumerate(figures_of(results, name, look), start=1)
            ]
        missing |= {shown.name: shown.missing for shown in made if shown.missing}
        yield from made
    if missing:
        warn_of("".join(sorted(set("".join(missing.values())))), missing)


def figure_files(
    results: Results,
    names: Sequence[str],
    look: Look = LOOK_OF_PAGE,
    *,
    present: Iterable[str] = (),
    step: Callable[[str], None] = lambda _: None,
) -> dict[str, bytes | None]:
    """The contents of all files by their names.

    Args:
        results: What is drawn.
        names: As in ``pictures``.
        look: How.
        present: The files of a folder. Those that are figures of these names and no longer drawn are None.
        step: Is given each name before it is drawn.
    """
    files: dict[str, bytes | None] = {}
    for shown in pictures(results, names, look, step=step):
        files |= {f"{shown.name}{ending}": content for ending, content in shown.files.items()}
    former = [file for file in present if file.endswith((*KNOWN, BESIDE)) and _figure_of(file) in names]
    return files | {file: None for file in sorted(former) if file not in files}


def picture(name: str, figure: Figure, look: Look) -> Picture:
    """Draw a figure; its files have no dates."""
    title, caption = (" ".join(text.split()) for text in (figure.get_suptitle(), figure.get_supxlabel()))
    missing = cover(figure)
    files = {ending: _drawn(figure, ending) for ending in look.formats}
    files[BESIDE] = figure_latex(name, title, caption, look.width).encode()
    return Picture(name=name, title=title, caption=caption, files=files, missing=missing)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole or not at all, in the format of its name; returns ``path``."""
    if missing := cover(figure):
        warn_of(missing, [path.name])
    content = _drawn(figure, path.suffix)
    with atomic_write(path) as part:
        part.write_bytes(content)
    return path


@contextmanager
def plain_text(width: str = "page") -> Iterator[None]:
    """Figures are ``width`` wide and have the one look; an unknown sign becomes a box."""
    import matplotlib as mpl

    inches = WIDTHS[width]
    look: Any = {**LOOK, "figure.figsize": (inches, 0.62 * inches)}
    with mpl.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", r"Matplotlib currently does not support", UserWarning)
        yield


def _figure_of(file: str) -> str:
    """The name in ``<name>-<label or number>.<ending>``: no name has a hyphen."""
    name, hyphen, _ = file.partition("-")
    return name if hyphen else ""


def _drawn(figure: Figure, ending: str) -> bytes:
    dateless: dict[str, dict[str, None]] = {
        ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        ".svg": {"Date": None, "Creator": None},
    }
    buffer = BytesIO()
    figure.savefig(buffer, format=ending.removeprefix("."), metadata=dateless.get(ending, {"Software": None}))
    return buffer.getvalue()
