"""A finished table as a value; ``formats`` have it as Markdown, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import pandas as pd

MINUS = "\N{MINUS SIGN}"
Flag = Literal[
    "synthetic",
    "external",
    "random_weights",
    "unknown_weights",
    "below_naive",
    "stale",
    "random",
    "mixed",
    "failed",
    "missing",
]
NotesOf: TypeAlias = Callable[[frozenset[str]], tuple[str, ...]]
"""The notes of a table in which the rows and columns of these names are not shown."""

MARKS: Mapping[Flag, tuple[str, str]] = {
    "synthetic": ("†", "synthetic data, not the real data set"),
    "external": ("★", "forecasts made elsewhere: scored here, not audited, not ranked"),
    "random_weights": ("‡", "random instead of pre-trained weights"),
    "unknown_weights": ("¶", "pre-trained weights whose file is unknown to us"),
    "below_naive": ("▼", "worse than the best naive baseline in this metric"),
    "stale": ("§", "stale: made by earlier code, not ranked"),
    "random": ("⊕", "random on purpose: each forecast is the mean of seeded draws"),
    "mixed": ("◇", "seeds on different devices or library versions"),
    "failed": ("✗", "a run failed"),
    "missing": ("—", "not run"),
}
"""What a flag looks like and what it means."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """The name of a row or a column.

    Attributes:
        name: As readers see it.
        flags: Keys of ``MARKS`` that hold for all of its cells.
        naive: Whether it names a naive baseline.
        machine: As commands and CSV files have it, where that is another.
        over: What it shares with its neighbours and stands above them once, such as a data set above several metrics.
    """

    name: str
    flags: tuple[Flag, ...] = ()
    naive: bool = False
    machine: str = ""
    over: str = ""

    @property
    def text(self) -> str:
        """With its marks."""
        return marked(self.name, self.flags)

    @property
    def whole(self) -> str:
        """The name alone, with what stands above it in front."""
        return f"{self.over}: {self.name}" if self.over else self.name

    @property
    def plain(self) -> str:
        """The name that a machine knows."""
        return self.machine or self.name


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell.

    Attributes:
        value: At the table's precision; empty where there is nothing to show but a mark.
        flags: Keys of ``MARKS`` that hold for it alone.
        code: Whether it is a digest or a setting, whose letters are told apart.
    """

    value: str = ""
    rank: Literal["best", "second", ""] = ""
    flags: tuple[Flag, ...] = ()
    code: bool = False

    @property
    def text(self) -> str:
        """With its marks."""
        return marked(self.value, self.flags)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One grid; whoever makes it says what is down and what is across.

    Attributes:
        key: Tells it from the others under its heading, such as "mae".
        heading: What all of it is about; tables of one heading follow each other.
        corner: What is shown, above the names of the rows.
        cells: ``[row][column]``.
        notes: What a reader must know about its numbers, as sentences; the same for all tables of one heading.
        notes_without: The notes where only a part of it is shown; None if they are the same.
        text_flags: Keys of ``MARKS`` whose marks stand inside its heading, its notes or a name.
    """

    key: str
    heading: str
    corner: str
    rows: tuple[Header, ...] = ()
    columns: tuple[Header, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()
    notes: tuple[str, ...] = ()
    notes_without: NotesOf | None = field(default=None, compare=False, repr=False)
    text_flags: tuple[Flag, ...] = ()

    @property
    def flags(self) -> set[Flag]:
        """The marks that occur."""
        return {
            *self.text_flags,
            *(flag for header in (*self.rows, *self.columns) for flag in header.flags),
            *(flag for row in self.cells for cell in row for flag in cell.flags),
        }


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """A named table in all its parts; equal results give equal bytes.

    Attributes:
        title: What it is about, a sentence or a question.
        tables: Empty if there is nothing to show.
        csv: Its numbers at full precision, one row each, by the ending of the file's name: "" for ``<name>.csv``.
    """

    title: str
    tables: tuple[Table, ...]
    csv: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def __str__(self) -> str:
        """As Markdown."""
        from bench.analysis.formats.markdown import markdown

        return markdown(self)

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return str(self)

    def by_heading(self) -> list[tuple[str, list[Table]]]:
        """Tables that share a heading, in their order."""
        return [(heading, list(tables)) for heading, tables in groupby(self.tables, key=lambda table: table.heading)]


def marked(text: str, flags: Iterable[Flag]) -> str:
    """A text with its marks behind it."""
    return " ".join([*([text] if text else []), *(MARKS[flag][0] for flag in flags)])


def ended(text: str) -> str:
    """A title or a question as a sentence, which ends as one; empty if it is."""
    return f"{text}." if text and not text.endswith((".", "?", "!")) else text


def legend(tables: Sequence[Table]) -> str:
    """The marks that occur in tables, explained; empty if none does."""
    used = {flag for table in tables for flag in table.flags}
    return "; ".join(f"{mark} {meaning}" for flag, (mark, meaning) in MARKS.items() if flag in used)


def legend_of(texts: Iterable[str]) -> str:
    """The marks that occur in texts, explained in a sentence."""
    joined = " ".join(texts)
    used = [f"{mark} {meaning}" for mark, meaning in MARKS.values() if mark in joined]
    return f"{'; '.join(used)}." if used else ""
