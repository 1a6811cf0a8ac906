"""Tables and figures as LaTeX, for papers of one column and of two.

Type is of 8 points whatever the paper's is, and of 7 in notes. What fits into a column is a ``table``, what does not a
``table*``, and what would not fit a page either comes in parts: nothing is shrunk to fit.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bench.analysis.formats.latex_widths import (
    BELOW,
    HARD_SPACE,
    TYPE,
    column_widths,
    heading_lines,
    is_below_naive,
    name_width,
)
from bench.analysis.table import MARKS, MINUS, Cell, Header, Table, TableFile, ended, legend, marked
from bench.errors import UnknownNameError
from bench.plain_text import printable

TWO_COLUMNS = "two-column"
PAPERS: Mapping[str, Mapping[str, float]] = {
    TWO_COLUMNS: {"table": 3.05, "table*": 6.25},
    "one-column": {"table": 4.75},
}
"""Inches that each float of a paper has; the narrowest of usual classes."""
FLOATS = {"column": "figure", "page": "figure*"}
PREAMBLE = "% needs \\usepackage{booktabs,graphicx}\n"
SEE_FIRST = "What a reader must know of the numbers stands below part 1."
SEE_TABLE = r"What a reader must know of the numbers stands below Table~\ref{%s}."
LONG_NOTES = 200  # letters that are not printed twice
COMMAND = "; use `--profile paper`"  # for who makes a table, not for who reads it in a paper
LAST_OF_T1 = 0x17F  # of the letters that every LaTeX knows
MOST_ROWS = 45  # of a page

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
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "·": r"$\cdot$",
        "†": r"$^{\dagger}$",
        "‡": r"$^{\ddagger}$",
        "▼": r"$^{\bigtriangledown}$",
        "§": r"\textsuperscript{\S}",
        "¶": r"\textsuperscript{\P}",
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
_STACK = r"\begin{tabular}[b]{@{}r@{}}%s\end{tabular}"
_FIT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"  # a paper that is narrower still
_TABLE = r"""\begin{%(float)s}
\centering\setlength{\tabcolsep}{3pt}
\setlength{\abovecaptionskip}{0pt}\setlength{\belowcaptionskip}{4pt}
\caption{%(caption)s}
\label{%(label)s}
\fontsize{8}{9.5}\selectfont
%(fit)s{%%
\begin{tabular}{%(columns)s}
\toprule
%(head)s
\midrule
%(rows)s
\bottomrule
\end{tabular}}%(notes)s
\end{%(float)s}
"""
_NOTES = r"""
\par\vspace{3pt}
\begin{minipage}{\linewidth}\fontsize{7}{8.5}\selectfont %s\end{minipage}"""
_TEXT = r"""\par\noindent %s\par
"""
_FIGURE = r"""%% needs \usepackage{graphicx}, and \graphicspath{{FOLDER/}} where this file's folder is not the paper's
\begin{%(float)s}
\centering
%(fit)s{\includegraphics{%(name)s}}
\caption{%(caption)s}
\label{%(label)s}
\end{%(float)s}
"""


def latex(name: str, file: TableFile, paper: str = TWO_COLUMNS) -> str:
    """All tables, each with its heading in its caption, and its notes and marks below it; one without rows as a text.

    Args:
        name: Of the file; labels begin with it.
        file: Its tables. What stands under one heading has one number in the labels.
        paper: One of ``PAPERS``.

    Raises:
        UnknownNameError: If there is no such paper.
    """
    if paper not in PAPERS:
        raise UnknownNameError("sort of paper", paper, PAPERS)
    explained: dict[tuple[str, ...], str] = {}  # long notes stand once: by them the label of their table
    tables = []
    for label, table in _labelled(name, file, max(PAPERS[paper].values())):
        tables.append(_table(table, label, PAPERS[paper], explained.get(table.notes, "")))
        if sum(map(len, table.notes)) > LONG_NOTES:
            explained.setdefault(table.notes, label)
    return PREAMBLE + unknown_letters("".join(tables)) + "\n".join(tables)


def figure_latex(name: str, title: str, caption: str, width: str) -> str:
    """A figure of the file ``name`` with its caption; one as wide as a page spans both columns of a paper of two."""
    text = _FIGURE % {
        "float": FLOATS[width],
        "fit": _FIT,
        "name": name,
        "caption": _prose(f"{ended(title)} {caption}"),
        "label": f"fig:{name}".replace("_", "-"),
    }
    return unknown_letters(text) + text


def unknown_letters(text: str) -> str:
    """A comment that names what pdfLaTeX cannot set, such as Chinese; empty where there is nothing."""
    letters = sorted({letter for letter in text if ord(letter) > LAST_OF_T1})
    if not letters:
        return ""
    return f"% pdfLaTeX does not know {''.join(letters)}: use LuaLaTeX or XeLaTeX, and a font that has them\n"


def _labelled(name: str, file: TableFile, room: float) -> Iterator[tuple[str, Table]]:
    for number, (_, tables) in enumerate(file.by_heading(), start=1):
        for table in tables:
            for suffix, part in _parts(table, room).items():
                yield f"tab:{name}-{number}-{table.key}{suffix}".replace("_", "-"), part


def _parts(table: Table, room: float) -> dict[str, Table]:
    """By the ends of their labels as few tables as fit the page, of about equally many columns and rows."""
    if not table.cells:
        return {"": table}
    wide = [_columns(table, part) for part in _column_parts(table, room)]
    parts = [_rows(part, rows) for part in wide for rows in _row_parts(len(table.rows))]
    if len(parts) == 1:
        return {"": table}
    return {
        f"-{number}" if number > 1 else "": replace(
            part,
            heading=f"{part.heading} (part {number} of {len(parts)})",
            notes=part.notes if number == 1 else (SEE_FIRST,),
        )
        for number, part in enumerate(parts, start=1)
    }


def _columns(table: Table, part: slice) -> Table:
    return replace(table, columns=table.columns[part], cells=tuple(row[part] for row in table.cells))


def _rows(table: Table, part: slice) -> Table:
    return replace(table, rows=table.rows[part], cells=table.cells[part])


def _row_parts(rows: int) -> list[slice]:
    count = -(-rows // MOST_ROWS)
    size = -(-rows // count)
    return [slice(start, start + size) for start in range(0, rows, size)]


def _column_parts(table: Table, room: float) -> list[slice]:
    """Columns that stand under one name stay together where a page has room for them."""
    widths, left = column_widths(table), 72.27 * room - name_width(table)
    left -= 2 * TYPE if any(header.naive for header in table.columns) else 0.0
    spans = [len(list(same)) for _, same in itertools.groupby(_spanned(table.columns))]
    ends = [0, *itertools.accumulate(spans)]
    ends = [0, *(end for block in itertools.pairwise(ends) for end in _ends(block, widths, left))]
    blocks = [sum(widths[start:stop]) for start, stop in itertools.pairwise(ends)]
    count = len(_filled(blocks, left))
    rooms = sorted({sum(blocks[start:stop]) for start in range(len(blocks)) for stop in range(start, len(blocks) + 1)})
    parts = next(parts for limit in rooms if len(parts := _filled(blocks, limit)) == count)
    return [slice(ends[part.start], ends[part.stop]) for part in parts]


def _ends(block: tuple[int, int], widths: Sequence[float], room: float) -> Iterable[int]:
    """Where a block of columns ends, or each of them if they have no room together."""
    start, stop = block
    return [stop] if sum(widths[start:stop]) <= room else range(start + 1, stop + 1)


def _filled(widths: Sequence[float], room: float) -> list[slice]:
    """Blocks in parts, each as full as its room allows; one that is wider has a part of its own."""
    bounds = [0]
    for column in range(1, len(widths)):
        if sum(widths[bounds[-1] : column + 1]) > room:
            bounds.append(column)
    return [slice(start, stop) for start, stop in itertools.pairwise([*bounds, len(widths)])]


def _spanned(columns: Sequence[Header]) -> list[tuple[str, int]]:
    """What stands above each column, with its marks; columns without anything above are each by themselves."""
    above = [marked(header.over, header.flags) if header.over else "" for header in columns]
    return [(over, 0 if over else number) for number, over in enumerate(above)]


def _table(table: Table, label: str, floats: Mapping[str, float], explained: str) -> str:
    """A float, whose notes may be ``explained`` below the table of this label; or what is said instead of rows."""
    if not table.cells:
        return _TEXT % _prose(" ".join((ended(table.heading), *table.notes)))
    rows = [
        _line([_named(header, _escaped(header.text)), *cells])
        for header, cells in zip(table.rows, _shown(table), strict=True)
    ]
    naive = sum(header.naive for header in table.rows)
    if 0 < naive < len(rows):
        rows.insert(naive, r"\midrule")
    apart = 2 * TYPE if any(header.naive for header in table.columns) else 0.0
    width = (name_width(table) + sum(column_widths(table)) + apart) / 72.27
    fitting = next((name for name, room in floats.items() if width <= room), [*floats][-1])
    return _TABLE % {
        "float": fitting,
        "caption": _prose(f"{table.corner}. {ended(table.heading)}"),
        "label": label,
        "fit": _FIT,
        "columns": _alignment(table.columns),
        "head": _head(table),
        "rows": "\n".join(rows),
        "notes": _notes(table, explained),
    }


def _shown(table: Table) -> list[list[str]]:
    """The cells; a column with marks of what is worse than naive has room for one in each, so digits stand aligned."""
    marked_columns = [any(map(is_below_naive, column)) for column in zip(*table.cells, strict=True)]
    return [[_text_of(cell, room=room) for cell, room in zip(row, marked_columns, strict=True)] for row in table.cells]


def _text_of(cell: Cell, *, room: bool) -> str:
    mark = _escaped(BELOW)
    if is_below_naive(cell):
        return _RANKED[cell.rank] % _escaped(cell.value) + mark
    return _RANKED[cell.rank] % _escaped(cell.text) + rf"\phantom{{{mark}}}" * (room and not cell.flags)


def _head(table: Table) -> str:
    """The names of the columns, and above them once what several share."""
    columns = zip(*table.cells, strict=True)
    names = _line(["", *(_stacked(header, column) for header, column in zip(table.columns, columns, strict=True))])
    if not any(header.over for header in table.columns):
        return names
    above, rules, start = [""], "", 2
    for (over, _), same in itertools.groupby(_spanned(table.columns)):
        stop = start + len(list(same))
        above.append(rf"\multicolumn{{{stop - start}}}{{c}}{{{_escaped(over)}}}")
        rules += rf"\cmidrule(lr){{{start}-{stop - 1}}}" if over else ""
        start = stop
    return "\n".join([_line(above), rules, names])


def _stacked(header: Header, column: Iterable[Cell]) -> str:
    lines = [_named(header, _escaped(line)) for line in heading_lines(header, column)]
    return lines[0] if len(lines) == 1 else _STACK % r"\\".join(lines)


def _line(texts: Iterable[str]) -> str:
    return " & ".join(texts) + r" \\"


def _named(header: Header, text: str) -> str:
    return rf"\textit{{{text}}}" if header.naive else text


def _alignment(columns: Sequence[Header]) -> str:
    """Naive baselines are set apart from what follows."""
    naive = sum(header.naive for header in columns)
    gap = r"@{\qquad}" if 0 < naive < len(columns) else ""
    return f"l{'r' * naive}{gap}{'r' * (len(columns) - naive)}"


def _notes(table: Table, explained: str) -> str:
    marks = legend([table])
    notes = SEE_TABLE % explained if explained else _prose(" ".join(table.notes).replace(COMMAND, ""))
    text = " ".join(filter(None, (notes, _prose(f"{marks}.") if marks else "")))
    return _NOTES % text if text else ""


def _prose(text: str) -> str:
    text = " ".join(text.replace("`", "").split()).replace(" %", f"{HARD_SPACE}%")
    text = re.sub(r"± (?=\d)", f"±{HARD_SPACE}", text.replace(" → ", f"{HARD_SPACE}→{HARD_SPACE}"))
    for mark, _ in MARKS.values():  # a mark stays with its meaning
        text = text.replace(f"{mark} ", mark + HARD_SPACE)
    return _escaped(text)


def _escaped(text: str) -> str:
    """In one line, with nothing left that LaTeX would read as its own."""
    line = re.sub(r"[\u2400-\u2421\ufffd]", "?", printable(re.sub(r"[^\S\xa0]+", " ", text)))  # it has no such signs
    return "-{}-".join(part.translate(_SIGNS) for part in line.split("--"))
