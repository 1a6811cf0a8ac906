"""Tables as Markdown; naive baselines in italics."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.analysis.table import Cell, Header, Table, TableFile, legend, marked
from bench.plain_text import printable

_RANKED = {"best": "**{}**", "second": "<u>{}</u>", "": "{}"}


def markdown(file: TableFile) -> str:
    """All tables; those of one heading share it, their notes and their legend."""
    parts = [f"# {_escaped(file.title)}"]
    for heading, tables in file.by_heading():
        grids = [grid(table) for table in tables if table.cells]
        parts += [f"## {_escaped(heading)}", " ".join(tables[0].notes), *grids, legend(tables)]
    return "\n\n".join(part for part in parts if part) + "\n"


def grid(table: Table) -> str:
    """The grid of a table alone."""
    lines = [_line([f"**{_escaped(table.corner)}**", *map(_header, table.columns)])]
    lines.append(_line(["---", *["---:"] * len(table.columns)]))
    for header, cells in zip(table.rows, table.cells, strict=True):
        lines.append(_line([_header(header), *map(_cell, cells)]))
    return "\n".join(lines)


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _header(header: Header) -> str:
    name = _escaped(header.whole)
    return marked(f"*{name}*" if header.naive else name, header.flags)


def _cell(cell: Cell) -> str:
    return marked(_RANKED[cell.rank].format(printable(cell.value)), cell.flags)


def _escaped(text: str) -> str:
    """In one line, with nothing left that Markdown would read as its own."""
    return re.sub(r"([\\|*`<>\[\]])", r"\\\1", printable(" ".join(text.split())))
