"""A finished table as a value, and how it reads in Markdown, LaTeX and CSV; ``html`` has it for a browser.

A grid shows one metric. Floors come first and in italics.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

SHOWN = {"mae": "MAE", "rmse": "RMSE"}
MINUS = "\N{MINUS SIGN}"
LINE_WIDTH = 130  # letters of a line before it is too small to read
PREAMBLE = "% needs \\usepackage{booktabs,graphicx}\n"

Flag = Literal["stand_in", "random_weights", "below_floor", "stale", "failed", "missing"]
Rank = Literal["best", "second", ""]

MARKS: Mapping[Flag, tuple[str, str]] = {
    "stand_in": ("†", "stand-in: synthetic data, not the real data set"),
    "random_weights": ("‡", "random instead of pre-trained weights"),
    "below_floor": ("▼", "below the best floor: worse than it in this metric"),
    "stale": ("§", "stale: made by earlier code, not ranked"),
    "failed": ("✗", "a run failed"),
    "missing": ("—", "not run"),
}
"""What a flag looks like and what it means."""

_TO_LATEX = str.maketrans(
    {
        MINUS: "$-$",
        "“": "``",
        "”": "''",
        "±": r"$\pm$",
        "→": r"$\rightarrow$",
        "·": r"$\cdot$",
        "†": r"$^{\dagger}$",
        "‡": r"$^{\ddagger}$",
        "▼": r"$^{\bigtriangledown}$",
        "§": r"\textsuperscript{\S}",
        "✗": r"$\times$",
        "—": "---",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)
_SHRINK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


@dataclass(frozen=True, kw_only=True)
class Header:
    """A data set or a model of a table.

    Attributes:
        flags: Keys of ``MARKS`` that hold for all of its cells.
        floor: Whether it is a floor: a naive forecast that every model must beat.
    """

    name: str
    flags: tuple[Flag, ...] = ()
    floor: bool = False

    @property
    def text(self) -> str:
        return " ".join([self.name, *(MARKS[flag][0] for flag in self.flags)])


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one cell.

    Attributes:
        text: Mean and deviation at the table's precision.
        flags: Keys of ``MARKS`` that hold for this number, those of its cell among them.
    """

    text: str
    rank: Rank = ""
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One model on one data set.

    Attributes:
        scores: By metric; empty when there is nothing to show but a mark.
        flags: Keys of ``MARKS`` that hold for this cell alone, in every metric.
    """

    scores: Mapping[str, Score] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()

    def text(self, metric: str) -> str:
        score = self.scores.get(metric)
        marks = [MARKS[flag][0] for flag in (score.flags if score else self.flags)]
        return " ".join([score.text, *marks] if score else marks)

    def rank(self, metric: str) -> Rank:
        return self.scores[metric].rank if metric in self.scores else ""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Everything that may be compared: one task, protocol, profile and set of switches.

    Attributes:
        title: Which block it is.
        notes: What a reader must know about its numbers, as sentences.
        cells: ``[data set, model]``, in the order of the headers.
        metrics: What is shown, and under which heading.
        models_down: Whether models are rows and data sets columns.
    """

    title: str
    notes: tuple[str, ...]
    datasets: tuple[Header, ...]
    models: tuple[Header, ...]
    cells: tuple[tuple[Cell, ...], ...]
    metrics: Mapping[str, str] = field(default_factory=lambda: SHOWN)
    models_down: bool = False

    def legend(self) -> str:
        """The marks that occur, explained."""
        headers = {flag for header in (*self.datasets, *self.models) for flag in header.flags}
        cells = [cell for row in self.cells for cell in row]
        shown = {flag for cell in cells for score in cell.scores.values() for flag in score.flags}
        used = headers | shown | {flag for cell in cells for flag in cell.flags}
        return "; ".join(f"{mark} {meaning}" for flag, (mark, meaning) in MARKS.items() if flag in used)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A named table in all its forms; equal frames give equal bytes.

    Attributes:
        title: What it is about, a sentence or a question.
        long: One row per data set, line and metric at full precision, the content of the CSV.
        differences: One row per comparison with the reference; None if nothing is compared.
    """

    name: str
    title: str
    blocks: tuple[Block, ...]
    long: pd.DataFrame
    differences: pd.DataFrame | None = None

    def to_markdown(self) -> str:
        parts = [f"# {_markdown(self.title)}"]
        for block in self.blocks:
            parts += [
                f"## {_markdown(block.title)}",
                " ".join(block.notes),
                *(_markdown_grid(block, key) for key in block.metrics),
            ]
            parts += [block.legend()] if block.legend() else []
        return "\n\n".join(parts) + "\n"

    def to_latex(self) -> str:
        grids = [
            _latex_grid(f"{self.name}-{number}", part, key)
            for number, block in enumerate(self.blocks, start=1)
            for key in block.metrics
            for part in _parts(block, key)
        ]
        return PREAMBLE + "\n".join(grids)

    def to_html(self) -> str:
        """A section of a document; what stands around it must not have its ids, which begin with "table-"."""
        from bench.analysis.formats.html import table_html

        return table_html(self)

    def to_csv(self) -> str:
        text: str = self.long.to_csv(index=False, lineterminator="\n")
        return text

    def differences_csv(self) -> str | None:
        if self.differences is None:
            return None
        text: str = self.differences.to_csv(index=False, lineterminator="\n")
        return text


def _markdown_grid(block: Block, metric: str) -> str:
    down, across, cells = oriented(block)
    rows = [[f"**{block.metrics[metric]}**", *(_markdown_header(header) for header in across)]]
    rows.append(["---", *["---:"] * len(across)])
    for header, line in zip(down, cells, strict=True):
        rows.append([_markdown_header(header), *(_markdown_cell(cell, metric) for cell in line)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _markdown_header(header: Header) -> str:
    name = _markdown(header.name)
    return (
        f"*{name}*{header.text.removeprefix(header.name)}"
        if header.floor
        else name + header.text.removeprefix(header.name)
    )


def _markdown(text: str) -> str:
    """In one line, with nothing left that Markdown would read as its own."""
    return re.sub(r"([\\|*`<>\[\]])", r"\\\1", " ".join(text.split()))


def _markdown_cell(cell: Cell, metric: str) -> str:
    text, score = cell.text(metric), cell.scores.get(metric)
    wrap = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}[cell.rank(metric)]
    return text.replace(score.text, wrap.format(score.text), 1) if score else text


def oriented(block: Block) -> tuple[tuple[Header, ...], tuple[Header, ...], tuple[tuple[Cell, ...], ...]]:
    """Rows, columns and cells of its grids."""
    if not block.models_down:
        return block.datasets, block.models, block.cells
    return block.models, block.datasets, tuple(zip(*block.cells, strict=True))


def _parts(block: Block, metric: str) -> list[Block]:
    """The block in as few tables, one below the other, as keep its print legible; all about equally wide."""
    down, across, cells = oriented(block)
    first = max((len(header.text) for header in down), default=0)
    widths = [
        2 + max(len(header.text), *(len(line[column].text(metric)) for line in cells))
        for column, header in enumerate(across)
    ]
    count = len(_filled(widths, LINE_WIDTH - first))
    parts = next(parts for room in itertools.count() if len(parts := _filled(widths, room)) <= count)
    return (
        [block]
        if len(parts) == 1
        else [
            replace(_columns(block, part), title=f"{block.title} (part {number} of {len(parts)})")
            for number, part in enumerate(parts, start=1)
        ]
    )


def _filled(widths: Sequence[int], room: int) -> list[list[int]]:
    """The places of columns in parts, each as full as its room allows; one that is wider has a part of its own."""
    parts: list[list[int]] = [[]]
    for column, width in enumerate(widths):
        if parts[-1] and sum(widths[other] for other in parts[-1]) + width > room:
            parts.append([])
        parts[-1].append(column)
    return parts


def _columns(block: Block, columns: Sequence[int]) -> Block:
    """The block with these of its columns alone."""
    if block.models_down:
        return replace(
            block,
            datasets=tuple(block.datasets[column] for column in columns),
            cells=tuple(block.cells[column] for column in columns),
        )
    return replace(
        block,
        models=tuple(block.models[column] for column in columns),
        cells=tuple(tuple(row[column] for column in columns) for row in block.cells),
    )


def _latex_grid(name: str, block: Block, metric: str) -> str:
    import pandas as pd

    down, across, cells = oriented(block)
    index, columns = _latex_headers(down), _latex_headers(across)
    frame = pd.DataFrame([[cell.text(metric) for cell in line] for line in cells], index=index, columns=columns)
    css = {"best": "textbf:--rwrap;", "second": "underline:--rwrap;", "": ""}
    styles = pd.DataFrame([[css[cell.rank(metric)] for cell in line] for line in cells], index=index, columns=columns)
    styler = frame.style.format(escape="latex").apply(lambda _: styles, axis=None)
    styler = styler.format_index(escape="latex", axis=0).format_index(escape="latex", axis=1)
    styler = styler.apply_index(lambda _: _italic(down), axis=0).apply_index(lambda _: _italic(across), axis=1)
    text: str = styler.to_latex(
        hrules=True,
        column_format=_column_format(across),
        position_float="centering",
        caption=_latex_caption(block, metric),
        label=f"tab:{name}-{metric}{_part(block)}".replace("_", "-"),
    )
    floors = sum(header.floor for header in down)
    return _fit(_ruled(text, floors if floors < len(down) else 0).translate(_TO_LATEX))


def _part(block: Block) -> str:
    """What tells the labels of a table's parts from each other; the first has the table's own."""
    found = re.search(r"\(part (\d+) of \d+\)$", block.title)
    return f"-{found[1]}" if found and found[1] != "1" else ""


def _ruled(text: str, floors: int) -> str:
    """Set the floors' rows apart from the models'."""
    if not floors:
        return text
    head, rule, body = text.partition("\\midrule\n")
    rows = body.split("\n")
    return head + rule + "\n".join([*rows[:floors], r"\midrule", *rows[floors:]])


def _fit(text: str) -> str:
    """Shrink a tabular that is wider than the line, and keep the caption off its top rule."""
    begin, end, centering = r"\begin{tabular}", r"\end{tabular}", r"\centering"
    text = text.replace(begin, f"{_SHRINK}\n{begin}").replace(end, end + "}")
    return text.replace(
        centering, centering + r"\setlength{\abovecaptionskip}{0pt}\setlength{\belowcaptionskip}{6pt}", 1
    )


def _italic(headers: tuple[Header, ...]) -> list[str]:
    return ["textit:--rwrap;" if header.floor else "" for header in headers]


def _column_format(headers: tuple[Header, ...]) -> str:
    floors = sum(header.floor for header in headers)
    return "l" + "r" * floors + (r"@{\qquad}" if 0 < floors < len(headers) else "") + "r" * (len(headers) - floors)


def _latex(text: str) -> str:
    """The text in one line, escaped as pandas escapes a cell."""
    import pandas as pd

    styler = pd.DataFrame([[" ".join(text.split())]]).style.hide(axis=0).hide(axis=1).format(escape="latex")
    return str(styler.to_latex()).splitlines()[1].removesuffix(r" \\")


def _latex_headers(headers: tuple[Header, ...]) -> pd.Index[str]:
    import pandas as pd

    return pd.Index([header.text for header in headers])


def _latex_caption(block: Block, metric: str) -> str:
    sentences = [f"{block.metrics[metric]}. {block.title}.", *block.notes]
    sentences += [f"{block.legend()}."] if block.legend() else []
    text = _latex(" ".join(sentences).replace("`", ""))
    text = text.replace(r" \%", r"~\%").replace("--", "-{}-")
    for mark, _ in MARKS.values():  # a mark stays with its meaning
        text = text.replace(f"{mark} ", f"{mark}~")
    return text
