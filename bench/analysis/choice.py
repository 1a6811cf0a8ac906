"""What is shown of a table: which metrics, side by side or one below the other, which columns and which rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bench.analysis.measures import MEASURES, SCALED, SHOWN
from bench.analysis.table import Header, Table, TableFile
from bench.errors import ConfigError, UnknownNameError

MASE = "mase"  # which many ask for, and which is nearest to 'mae' by its letters


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
            if name.casefold() == MASE:
                raise ConfigError(
                    f"there is no metric named '{name}'; {SCALED} is like it: MAE over that of the best naive baseline"
                )
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

        Few methods run across the page, and many down: what only a row is called is a row, wherever it was asked for,
        and so is a column.

        Raises:
            UnknownNameError: If no grid has a column or a row of a name.
        """
        known = [name for table in file.tables for name in dict.fromkeys(_names(table))]
        folded = {*map(str.casefold, known)}
        for wanted in (*self.columns, *self.rows) if file.tables else ():
            if wanted.casefold() not in folded:
                raise UnknownNameError(f"column or row of {name}", wanted, dict.fromkeys(known))
        return replace(file, tables=tuple(part for table in file.tables if (part := self._part(table)) is not None))

    def _part(self, table: Table) -> Table | None:
        """The chosen columns and rows of one grid; None if it has none of them."""
        columns, rows = ([*map(str.casefold, names)] for names in (self.columns, self.rows))
        across, down = ({*map(str.casefold, _called(headers))} for headers in (table.columns, table.rows))
        if any(names and not (across | down).intersection(names) for names in (columns, rows)):
            return None
        turned = [name for name in rows if name in across - down], [name for name in columns if name in down - across]
        columns, rows = [*columns, *turned[0]], [*rows, *turned[1]]
        part = _with_rows(_with_columns(table, _numbers(columns, table.columns)), _numbers(rows, table.rows))
        return _with_notes(part, frozenset({*_names(table)} - {*_names(part)}))


AS_IT_IS = Choice()


def _called(headers: Iterable[Header]) -> list[str]:
    """Every name of a column or a row."""
    return [name for header in headers for name in (header.plain, header.name, header.over, header.whole) if name]


def _names(table: Table) -> list[str]:
    """Every name of its columns and rows."""
    return _called((*table.columns, *table.rows))


def _numbers(names: Iterable[str], headers: Sequence[Header]) -> list[int]:
    """Which of the headers are meant, in the order of the names, none twice; all if none is."""
    called = [{*map(str.casefold, _called([header]))} for header in headers]
    named = [number for name in names for number, known in enumerate(called) if name in known]
    return list(dict.fromkeys(named)) or list(range(len(headers)))


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


def _with_notes(part: Table, hidden: frozenset[str]) -> Table:
    """With the notes of what is shown, where rows or columns of these names no longer are."""
    return replace(part, notes=part.notes_without(hidden)) if hidden and part.notes_without else part
