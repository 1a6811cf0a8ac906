"""A CSV with one slot per row: its columns by their names, its times, and what marks missing values."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.column_names import Order, order_of
from bench.catalog.importing.csv_cells import CsvCells
from bench.catalog.importing.csv_header import Columns, columns_of
from bench.catalog.importing.csv_lines import CsvLines, Line, csv_lines
from bench.catalog.importing.time_forms import says_utc
from bench.catalog.importing.times import TimeAxis
from bench.errors import DataError
from bench.mapped import PIECE

if TYPE_CHECKING:
    import pandas as pd

HOUR: Final = r"^\d{1,2}$"


class CsvFile:
    """The values of a CSV, a piece at a time.

    Attributes:
        card: The user's, whose layout the rows have.
        start: The time of the first row if there is a column of times, once a piece was read.
        notes: Sentences on what was decided, once all was read.
    """

    def __init__(self, path: Path, card: ImportCard, on_bytes: Callable[[int], None]) -> None:
        """Nothing is read yet; ``on_bytes`` is told how much was after each piece."""
        self.start: datetime | None = None
        self.notes: list[str] = []
        self.card = card
        self._path, self._on_bytes = path, on_bytes
        self._cells = CsvCells(path, card)
        self._counted: int | None = None  # the last number of a column that counts the rows

    def rows(self) -> Generator[NDArray[np.float64]]:
        """The values in the card's layout.

        Raises:
            DataError: If a cell is no number, the columns do not fit the card, or the times have a gap.
        """
        with csv_lines(self._path, self._on_bytes) as (lines, tell):
            columns = columns_of(lines, self.card, self._path)
            axis = TimeAxis(self.card, self._path, utc=says_utc(columns.time_names))
            order = order_of(columns.names, len(columns.cells), self.card, self._path)
            rows = self._cells.rows(lines, columns)
            while block := list(islice(rows, max(1, PIECE // len(columns.cells)))):
                values = self._values(block, lines, columns, order)
                if columns.times:
                    yield from axis.filled(self._times(block, lines, columns), values)
                    self.start = axis.start
                else:
                    yield values
                tell()
        self.notes = [*columns.notes, order.note, *self._cells.notes, *axis.notes]

    def _values(self, block: Sequence[Line], lines: CsvLines, columns: Columns, order: Order) -> NDArray[np.float64]:
        if columns.numbering is not None and not columns.times:
            self._check_numbering(block, lines, columns.numbering)
        numbers = self._cells.numbers(block, lines, columns).to_numpy()
        return numbers[:, order.columns].reshape(-1, *self.card.row_shape())

    def _times(self, block: Sequence[Line], lines: CsvLines, columns: Columns) -> pd.Series[Any]:
        frame = self._cells.texts(block, lines, columns.times)
        date = frame[columns.times[0]]
        if len(columns.times) == 1:
            return date
        clock = frame[columns.times[1]]
        return date + " " + clock.where(~clock.str.match(HOUR), clock + ":00")

    def _check_numbering(self, block: Sequence[Line], lines: CsvLines, column: int) -> None:
        numbers = [lines.cells(line)[column] for line in block]
        for line, number in zip(block, numbers, strict=True):
            count = int(number) if number.isdecimal() else None
            if count is None or (self._counted is not None and count != self._counted + 1):
                raise DataError(
                    f"{self._path} has a first column that has no name and does not count the rows: '{number}' in line "
                    f"{line.number} follows '{self._counted}'; give the column a name if it holds values or times, or "
                    "bring back the rows that were removed"
                )
            self._counted = count
