"""Tables as HTML: the same cells as in Markdown and LaTeX, in boxes of their own that scroll, ready to be sorted.

All text is escaped by the templates; nothing here is marked as safe but what a template made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from bench.analysis.table import MARKS, MINUS, SHOWN, Block, Cell, Header, Rank, Table, oriented

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LONG = 40  # rows of a table that is folded until it is asked for
MANY = 7  # columns of a table that is printed smaller
DIGEST = 40  # letters of code that need a column of some width
_NUMBER = re.compile(r"(?:< )?([+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.])")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A cell or a heading.

    Attributes:
        marks: Signs behind the text, each with its meaning.
        number: What it is sorted by; None for a text.
        floor: Whether it names a floor.
        code: Whether it is a digest or a setting, whose letters are told apart.
    """

    text: str
    marks: tuple[tuple[str, str], ...] = ()
    rank: Rank = ""
    number: float | None = None
    floor: bool = False
    code: bool = False


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One grid under one caption.

    Attributes:
        anchor: Its id in the document.
        about: What the caption leaves out, for those who hear it without what stands around it.
        rows: Of each the heading and its cells, as many as there are columns.
    """

    anchor: str
    caption: str
    corner: str
    columns: tuple[Item, ...]
    rows: tuple[tuple[Item, tuple[Item, ...]], ...]
    about: str = ""

    @property
    def long(self) -> bool:
        return len(self.rows) > LONG

    @property
    def wide(self) -> bool:
        return len(self.columns) > MANY

    @property
    def looks(self) -> tuple[str, ...]:
        """Of each column: a text, a long digest among them, or numbers (empty)."""
        columns = [[cells[place] for _, cells in self.rows] for place in range(len(self.columns))]
        return tuple(map(_look, columns))


def sheet(
    anchor: str, caption: str, corner: str, columns: Sequence[str], rows: Sequence[Sequence[str | Item]]
) -> Sheet:
    """A grid of texts; the first of each row is its heading, and texts that begin with a number are sorted by it."""
    cells = [tuple(each if isinstance(each, Item) else numbered(each) for each in row) for row in rows]
    return Sheet(
        anchor=anchor,
        caption=caption,
        corner=corner,
        columns=tuple(Item(text=name) for name in columns),
        rows=tuple((row[0], row[1:]) for row in cells),
    )


def numbered(text: str) -> Item:
    """A cell that is sorted by the number that it begins with, if it does."""
    found = _NUMBER.match(text.replace(MINUS, "-"))
    return Item(text=text, number=float(found[1].replace(",", "")) if found else None)


def code(text: str) -> Item:
    """A digest or a setting."""
    return Item(text=text, code=True)


def table_html(table: Table) -> str:
    """A table with its title, notes and legends, as a section of a document."""
    return str(environment().get_template("table.html").render(table=table, blocks=_blocks(table)))


def sheet_html(each: Sheet) -> Markup:
    """One grid, as a template takes it."""
    from markupsafe import Markup

    return Markup(environment().get_template("sheet.html").render(sheet=each))  # noqa: S704 - escaped by the template


@cache
def environment() -> Environment:
    """The templates, which escape whatever they are given."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=PackageLoader("bench.analysis.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["quoted"] = quoted
    made.filters["sheet"] = sheet_html
    return made


def quoted(text: str) -> Markup:
    """What stands between backticks as code."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # a backtick that nothing closes is one
        return escape(text)
    wrapped = [Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)]
    return Markup("").join(wrapped)


def _look(cells: Sequence[Item]) -> str:
    if any(cell.number is not None for cell in cells) or not any(
        map(str.isalpha, "".join(each.text for each in cells))
    ):
        return ""
    return "text digest" if any(cell.code and len(cell.text) > DIGEST for cell in cells) else "text"


def _blocks(table: Table) -> list[tuple[Block, list[Sheet]]]:
    return [
        (block, [_sheet(f"{table.name}-{number}-{place}", block, metric) for place, metric in enumerate(block.metrics)])
        for number, block in enumerate(table.blocks, start=1)
    ]


def _sheet(anchor: str, block: Block, metric: str) -> Sheet:
    down, across, cells = oriented(block)
    return Sheet(
        anchor=f"table-{anchor}",
        caption=block.metrics[metric],
        about=block.title,
        corner="model" if block.models_down else "data set" if metric in SHOWN else block.metrics[metric],
        columns=tuple(map(_heading, across)),
        rows=tuple(
            (_heading(header), tuple(_cell(cell, metric) for cell in line))
            for header, line in zip(down, cells, strict=True)
        ),
    )


def _heading(header: Header) -> Item:
    return Item(text=header.name, marks=tuple(MARKS[flag] for flag in header.flags), floor=header.floor)


def _cell(cell: Cell, metric: str) -> Item:
    score = cell.scores.get(metric)
    marks = tuple(MARKS[flag] for flag in (score.flags if score else cell.flags))
    text = score.text if score else ""
    return Item(text=text, marks=marks, rank=cell.rank(metric), number=numbered(text).number)
