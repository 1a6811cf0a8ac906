"""About how wide a table will be in print, so that it is given the right float before LaTeX has seen it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Final

from bench.analysis.table import MARKS, MINUS, Cell, Header, Table

TYPE: Final = 8.0  # points
GAP: Final = 6.0  # points between two columns
BOLD: Final = 1.15  # times as wide as other letters
BELOW: Final = MARKS["below_naive"][0]
MOST_LINES: Final = 3  # of a heading
SHORTEST_LINE: Final = 9  # letters of a heading before it is broken
HARD_SPACE: Final = "\N{NO-BREAK SPACE}"
WIDTHS: Final = ("fijlt.,:;|'!()[] ", 0.34), (f"mwMW%@±—→+={MINUS}", 0.9), ("ABCDEFGHIJKLNOPQRSTUVXYZ&▼◇⊕✗†‡§¶", 0.75)
"""Letters and their widths in em; those that are not named are 0.54 wide."""


def name_width(table: Table) -> float:
    """Points of the column of names."""
    return max(_width(header.text) for header in table.rows)


def column_widths(table: Table) -> list[float]:
    """Points of each other column, with the gap before it."""
    cells = zip(*table.cells, strict=True)
    return [
        GAP + max(*map(_width, heading_lines(header, column)), *_cell_widths(column))
        for header, column in zip(table.columns, cells, strict=True)
    ]


def heading_lines(header: Header, column: Iterable[Cell]) -> list[str]:
    """A heading in few lines not much longer than what stands below it; a mark and a slash stay with their word."""
    room = max(SHORTEST_LINE, *(len(cell.text) for cell in column))
    text = " ".join(header.name.split()).replace(" /", f"{HARD_SPACE}/")
    marks = "" if header.over else header.text.removeprefix(header.name).replace(" ", HARD_SPACE)
    while len(lines := wrap(text + marks, room, break_long_words=False, break_on_hyphens=False) or [""]) > MOST_LINES:
        room += 1
    return lines if len(lines) > 1 else [lines[0].replace(HARD_SPACE, " ")]


def is_below_naive(cell: Cell) -> bool:
    """Whether a number has the mark of what is worse than naive, and no other."""
    return bool(cell.value) and cell.flags == ("below_naive",)


def _cell_widths(column: Sequence[Cell]) -> list[float]:
    room = _width(BELOW) if any(map(is_below_naive, column)) else 0.0
    texts = ((cell, cell.value if is_below_naive(cell) else cell.text) for cell in column)
    return [_width(text) * (BOLD if cell.rank == "best" else 1.0) + room for cell, text in texts]


def _width(text: str) -> float:
    """About how many points a line of type takes."""
    return TYPE * sum(next((width for letters, width in WIDTHS if letter in letters), 0.54) for letter in text)
