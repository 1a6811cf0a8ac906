"""Tables as HTML: the same cells as in Markdown and LaTeX, in boxes of their own that scroll, ready to be sorted.

All text is escaped by the templates; nothing here is marked as safe but what a template made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from bench.analysis.table import MARKS, MINUS, Cell, Table, TableFile, legend

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LONG = 40  # rows of a table that is folded until it is asked for
MANY = 7  # columns of a table that is printed smaller
DIGEST = 40  # letters of code that need a column of some width
LINE = 28  # letters of a cell that breaks, though it begins with a number
_SHA256 = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")  # its beginning is shown, and all of it under the pointer
_NUMBER = re.compile(r"(?:< )?([+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.])")


def html(name: str, file: TableFile) -> Markup:
    """A named table in all its parts, as a section of a document, with notes and legends.

    What stands around it must not have its ids, which begin with "table-".
    """
    return _rendered("table.html", name=name, file=file, legend=legend)


def grid(table: Table, anchor: str, *, captioned: bool = True, folded: bool = False) -> Markup:
    """One table, sorted by a click on a heading; a long one is folded until it is opened.

    Args:
        table: What to show; its notes are left out.
        anchor: Its id in the document.
        captioned: Whether its heading is seen above it; else whoever shows it has written the heading.
        folded: Whether it is folded, however short.
    """
    return _rendered(
        "grid.html",
        table=table,
        anchor=anchor,
        captioned=captioned,
        folded=folded or len(table.rows) > LONG,
        wide=len(table.columns) > MANY,
        looks=[_look([row[column] for row in table.cells]) for column in range(len(table.columns))],
        marks=MARKS,
        number=number,
        shortened=_shortened,
    )


def number(cell: Cell) -> float | None:
    """The number that a cell begins with, by which it is sorted; None for any other."""
    match = None if cell.code else _NUMBER.match(cell.value.replace(MINUS, "-"))
    return float(match[1].replace(",", "")) if match else None


def quoted(text: str) -> Markup:
    """What stands between backticks as code."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in text.split("`")]
    if len(parts) % 2 == 0:  # a backtick that nothing closes is one
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


@cache
def environment() -> Environment:
    """The templates, which escape whatever they are given."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    templates = Environment(
        loader=PackageLoader("bench.analysis.report"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["quoted"] = quoted
    templates.filters["zip"] = zip
    templates.globals["grid"] = grid
    return templates


def _rendered(template: str, **values: object) -> Markup:
    from markupsafe import Markup

    return Markup(environment().get_template(template).render(**values))  # noqa: S704 - escaped by the template


def _look(cells: Sequence[Cell]) -> str:
    """What a column holds: a text, a long digest among them, or numbers (empty)."""
    written = [cell for cell in cells if cell.value]
    numbers = sum(number(cell) is not None and len(cell.value) <= LINE for cell in written)
    if 2 * numbers >= max(1, len(written)) or not any(map(str.isalpha, "".join(cell.value for cell in written))):
        return ""
    return "text digest" if any(cell.code and len(_shortened(cell.value)) > DIGEST for cell in written) else "text"


def _shortened(text: str) -> str:
    """A text with its digests of sha256 by their first twelve letters."""
    return _SHA256.sub(r"\1", text)
