"""Tables as LaTeX: one ``table`` a grid, shrunk to the line, and in parts where it would be too small to read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.analysis.table import MARKS, MINUS, Header, Table, TableFile, legend

LINE_WIDTH = 130  # letters of a line before it is too small to read
PREAMBLE = "% needs \\usepackage{booktabs,graphicx}\n"
HARD_SPACE = "\N{NO-BREAK SPACE}"

_SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        HARD_SPACE: "~",
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
        "◇": r"$^{\diamond}$",
        "★": r"$^{\star}$",
        "⊕": r"$^{\oplus}$",
        "✗": r"$\times$",
        "—": "---",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)
_RANKED = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
_TABLE = r"""\begin{table}
\centering\setlength{\abovecaptionskip}{0pt}\setlength{\belowcaptionskip}{6pt}
\caption{%s}
\label{%s}
\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
\begin{tabular}{%s}
\toprule
%s
\midrule
%s
\bottomrule
\end{tabular}}
\end{table}
"""


def latex(name: str, file: TableFile) -> str:
    """All tables, each with its heading, notes and legend in its caption.

    Args:
        name: Of the file; labels begin with it.
        file: Its tables. What stands under one heading has one number in the labels.
    """
    tables = [
        _table(part, f"tab:{name}-{number}-{table.key}{suffix}".replace("_", "-"))
        for number, (_, tables) in enumerate(file.by_heading(), start=1)
        for table in tables
        for suffix, part in _parts(table).items()
    ]
    return PREAMBLE + "\n".join(tables)


def _parts(table: Table) -> dict[str, Table]:
    """By the ends of their labels as few tables with some columns each as keep print legible, about equally wide."""
    if not table.cells:
        return {}
    names = max(len(header.text) for header in table.rows)
    columns = zip(table.columns, *table.cells, strict=True)
    widths = [2 + max(len(entry.text) for entry in column) for column in columns]
    count = len(_filled(widths, LINE_WIDTH - names))
    if count == 1:
        return {"": table}
    parts = next(parts for room in itertools.count() if len(parts := _filled(widths, room)) == count)
    return {
        f"-{number}" if number > 1 else "": replace(
            table,
            heading=f"{table.heading} (part {number} of {count})",
            columns=table.columns[part],
            cells=tuple(row[part] for row in table.cells),
        )
        for number, part in enumerate(parts, start=1)
    }


def _filled(widths: Sequence[int], room: int) -> list[slice]:
    """Columns in parts, each as full as its room allows; one that is wider has a part of its own."""
    bounds = [0]
    for column in range(1, len(widths)):
        if sum(widths[bounds[-1] : column + 1]) > room:
            bounds.append(column)
    return [slice(start, stop) for start, stop in itertools.pairwise([*bounds, len(widths)])]


def _table(table: Table, label: str) -> str:
    rows = [
        _line([_header(header), *(_RANKED[cell.rank] % _escaped(cell.text) for cell in cells)])
        for header, cells in zip(table.rows, table.cells, strict=True)
    ]
    naive = sum(header.naive for header in table.rows)
    if 0 < naive < len(rows):
        rows.insert(naive, r"\midrule")
    head = _line(["", *map(_header, table.columns)])
    return _TABLE % (_caption(table), label, _alignment(table.columns), head, "\n".join(rows))


def _line(texts: Iterable[str]) -> str:
    return " & ".join(texts) + r" \\"


def _header(header: Header) -> str:
    return (r"\textit{%s}" if header.naive else "%s") % _escaped(header.text)


def _alignment(columns: Sequence[Header]) -> str:
    """Naive baselines are set apart from what follows."""
    naive = sum(header.naive for header in columns)
    gap = r"@{\qquad}" if 0 < naive < len(columns) else ""
    return f"l{'r' * naive}{gap}{'r' * (len(columns) - naive)}"


def _caption(table: Table) -> str:
    marks = legend([table])
    text = " ".join([f"{table.corner}. {table.heading}.", *table.notes, *([f"{marks}."] if marks else [])])
    text = " ".join(text.replace("`", "").split()).replace(" %", f"{HARD_SPACE}%")
    for mark, _ in MARKS.values():  # a mark stays with its meaning
        text = text.replace(f"{mark} ", mark + HARD_SPACE)
    return _escaped(text)


def _escaped(text: str) -> str:
    """In one line, with nothing left that LaTeX would read as its own."""
    line = re.sub(r"[^\S\xa0]+", " ", text)
    return "-{}-".join(part.translate(_SIGNS) for part in line.split("--"))
