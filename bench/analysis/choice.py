"""What is shown of a table: which metrics, side by side or one below the other, which columns and which rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bench.analysis.measures import MEASURES, SHOWN
from bench.analysis.table import Header, Table, TableFile
from bench.errors import ConfigError, UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A choice from what a table could show; nothing chosen is the table as it is.

    Attributes:
        metrics: Of ``MEASURES``; those that are usually shown if there are none.
        beside: Whether metrics stand side by side in one grid.
        columns, rows: By the names that readers or machines know, in the order wanted; all if there are none.
    """

    metrics: tuple[str, ...] = ()
    beside: bool = False
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in MEASURES:
                raise UnknownNameError("metric", name, MEASURES)

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics in their order."""
        return tuple(dict.fromkeys(self.metrics)) or SHOWN

    @property
    def of_metrics(self) -> bool:
        """Whether it asks for what only tables of errors can show."""
        return bool(self.metrics or self.beside)

    def check(self, name: str, *, takes_metrics: bool) -> None:
        """Refuse to choose metrics of a table that has none to choose from.

        Raises:
            ConfigError: Where that is asked.
        """
        if self.of_metrics and not takes_metrics:
            raise ConfigError(f"the table {name} has no metrics to choose from; tables of suites and per_horizon have")

    def of(self, name: str, file: TableFile) -> TableFile:
        """The chosen columns and rows of a table; grids that have none of them are left out. The CSV stays whole.

        Raises:
            UnknownNameError: If no grid has a column or a row of a name.
            ConfigError: If a name is that of the other: few methods run across the page, and many down.
        """
        tables: Sequence[Table] = file.tables
        if self.columns:
            _refuse_turned(
                self.columns, tables, _rows, _columns, f"a row of {name} and no column: choose it with --row, or rows="
            )
            tables = _having(self.columns, tables, _columns, _with_columns, f"column of {name}")
        if self.rows:
            _refuse_turned(
                self.rows,
                tables,
                _columns,
                _rows,
                f"a column of {name} and no row: choose it with --column, or columns=",
            )
            tables = _having(self.rows, tables, _rows, _with_rows, f"row of {name}")
        return replace(file, tables=tuple(tables))


AS_IT_IS = Choice()


def _columns(table: Table) -> Sequence[Header]:
    return table.columns


def _rows(table: Table) -> Sequence[Header]:
    return table.rows


def _refuse_turned(
    names: Sequence[str],
    tables: Sequence[Table],
    others: Callable[[Table], Sequence[Header]],
    headers: Callable[[Table], Sequence[Header]],
    what: str,
) -> None:
    known, there = (
        {name.casefold() for table in tables for header in part(table) for name in _names(header)}
        for part in (others, headers)
    )
    for name in names:
        if name.casefold() in known - there:
            raise ConfigError(f"{name} is {what}")


def _having(
    names: Sequence[str],
    tables: Sequence[Table],
    headers: Callable[[Table], Sequence[Header]],
    cut: Callable[[Table, Sequence[int]], Table],
    what: str,
) -> list[Table]:
    known = dict.fromkeys(name for table in tables for header in headers(table) for name in _names(header))
    for name in names if tables else ():
        if name.casefold() not in map(str.casefold, known):
            raise UnknownNameError(what, name, known)
    numbers = {id(table): list(_numbers(names, headers(table))) for table in tables}
    return [cut(table, numbers[id(table)]) for table in tables if numbers[id(table)]]


def _numbers(names: Iterable[str], headers: Sequence[Header]) -> Iterable[int]:
    """Which of the headers are meant, in the order of the names, none twice."""
    named = (
        number
        for name in names
        for number, header in enumerate(headers)
        if name.casefold() in map(str.casefold, _names(header))
    )
    return dict.fromkeys(named)


def _names(header: Header) -> list[str]:
    return [name for name in dict.fromkeys((header.plain, header.name, header.over, header.whole)) if name]


def _with_columns(table: Table, numbers: Sequence[int]) -> Table:
    return replace(
        table,
        columns=tuple(table.columns[number] for number in numbers),
        cells=tuple(tuple(row[number] for number in numbers) for row in table.cells),
    )


def _with_rows(table: Table, numbers: Sequence[int]) -> Table:
    return replace(
        table,
        rows=tuple(table.rows[number] for number in numbers),
        cells=tuple(table.cells[number] for number in numbers),
    )
