"""Wide tables: of Parquet or a data frame, with a row for each slot; and columns of any that are sensors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import IN_ORDER, ImportCard
from bench.catalog.importing.array_files import imported_card
from bench.catalog.importing.column_names import order_of
from bench.catalog.importing.column_numbers import numbers_of
from bench.catalog.importing.csv_header import columns_of
from bench.catalog.importing.csv_lines import csv_lines
from bench.catalog.importing.long_columns import USUAL
from bench.catalog.importing.long_table import Table
from bench.catalog.importing.nodes import Canvas, canvas_of
from bench.catalog.importing.time_forms import is_time, says_utc
from bench.catalog.importing.times import TimeAxis
from bench.catalog.importing.wide_csv import CsvFile
from bench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

INDEX: Final = ("__index_level_0__", "index")  # how an index without a name is called in a file


class TypedTable(Table, Protocol):
    """A table whose columns have types."""

    @property
    def dtypes(self) -> Sequence[Any]:
        """The type of each column, as pandas has it."""


@dataclass
class WideTable:
    """A wide table as a source of rows: its columns are cells by their names, or sensors if the card says nodes."""

    table: TypedTable
    asked: ImportCard
    folder: Path
    on_progress: Callable[[int, int], None]
    card: ImportCard = field(init=False)

    def __post_init__(self) -> None:
        names, where = list(self.table.columns), self.table.where
        kept = {
            name: dtype
            for name, dtype in zip(names, self.table.dtypes, strict=True)
            if name not in self.asked.skip_columns
        }
        if twice := [name for name in kept if names.count(name) > 1]:
            raise DataError(f"{where} has two columns called '{twice[0]}'; rename one")
        self._numbering = next((name for name in kept if name in INDEX and _is_whole(kept[name])), "")
        self._time = _time_column([name for name in kept if name != self._numbering], kept, self.asked, where)
        self._values = [name for name in kept if name not in (self._time, self._numbering)]
        _check_names(self._values, where)
        self._axis = TimeAxis(self.asked, where, utc=says_utc([self._time]))
        self._counted: list[int] = []  # the last number of an index that counts the rows
        self._canvas: Canvas | None = None
        if self.asked.nodes:
            self._canvas = _canvas(self._values, self.asked, self.folder, where)
            self.card = imported_card(self.asked, (*self.asked.empty_cells, *self._canvas.empty))
        else:
            order = order_of(self._values, len(self._values), self.asked, where)
            self._values, self._note = [self._values[column] for column in order.columns], order.note
            self.card = self.asked

    @property
    def start(self) -> datetime | None:
        return self._axis.start

    @property
    def notes(self) -> list[str]:
        return [self._canvas.note() if self._canvas else self._note, *self._axis.notes]

    def rows(self) -> Generator[NDArray[Any]]:
        """The values, as ``card`` says.

        Raises:
            DataError: If the table is not what the card says.
        """
        with closing(self.table.frames(self.table.columns, ())) as frames:
            for frame, share in frames:
                numbers = _numbers(frame[self._values], self.asked, self.table.where)
                if self._canvas:
                    values = self._canvas.spread(numbers[:, None])
                else:
                    values = numbers.reshape(-1, *self.asked.row_shape())
                if self._numbering and not self._time:
                    self._check_numbering(frame[self._numbering])
                yield from self._axis.filled(frame[self._time], values) if self._time else [values]
                self.on_progress(round(1000 * share), 1000)

    def _check_numbering(self, index: pd.Series[Any]) -> None:
        """An index of whole numbers counts the rows, so that none was removed."""
        numbers = index.to_list()
        for before, after in pairwise([*self._counted[-1:], *numbers]):
            if after != before + 1:
                raise DataError(
                    f"{self.table.where} has an index that does not count the rows: {after} follows {before}; bring "
                    "back the rows that were removed, give it times, or number it anew by "
                    "frame.reset_index(drop=True) if its rows follow each other"
                )
        self._counted = numbers[-1:]


class SensorCsv:
    """A CSV with one slot per row, whose columns are sensors.

    Attributes:
        card: What the rows are: ``[t, 1, H, W]``.
    """

    def __init__(self, path: Path, card: ImportCard, folder: Path, on_bytes: Callable[[int], None]) -> None:
        """Its first lines are read; ``on_bytes`` is told how much was after each piece."""
        with csv_lines(path, lambda _: None) as (lines, _):
            columns = columns_of(lines, card, path)
        names = columns.names or [str(number) for number in range(len(columns.cells))]
        self._canvas = _canvas(names, card, folder, path)
        self.card = imported_card(card, (*card.empty_cells, *self._canvas.empty))
        flat = {"grid": (1, len(names)), "layout": "TN", "columns": IN_ORDER, "nodes": ""}
        self._file = CsvFile(path, card.model_copy(update=flat), on_bytes)

    @property
    def start(self) -> datetime | None:
        return self._file.start

    @property
    def notes(self) -> list[str]:
        return [self._canvas.note(), *(note for note in self._file.notes if "columns are taken" not in note)]

    def rows(self) -> Generator[NDArray[Any]]:
        """The values ``[t, 1, H, W]``.

        Raises:
            DataError: If the file is not what the card says.
        """
        with closing(self._file.rows()) as pieces:
            for rows in pieces:
                yield self._canvas.spread(rows[:, None])


def _canvas(names: Sequence[str], card: ImportCard, folder: Path, where: Path) -> Canvas:
    if len(card.channels) > 1:
        raise DataError(
            f"{where} has a column for each sensor, but the card names {len(card.channels)} channels; give a long "
            "table, with a line for each time and sensor and a column for each channel"
        )
    return canvas_of(card, folder, len(names), names, where)


def _time_column(names: Sequence[str], dtypes: Mapping[str, Any], card: ImportCard, where: Path) -> str:
    """The column of times, by the card, its type or its name; empty if there is none."""
    import pandas as pd

    if len(card.time_columns) > 1:
        raise DataError(
            f"{where} has its times in one column, but the card names {' and '.join(card.time_columns)} as "
            "time_columns; join them into one"
        )
    if stated := card.dims.time or "".join(card.time_columns[:1]):
        if stated not in names:
            raise DataError(f"{where} has no column '{stated}' of times; its columns are {', '.join(names)[:200]}")
        return stated
    typed = [name for name in names if pd.api.types.is_datetime64_any_dtype(dtypes[name])]
    if len(typed) > 1:
        raise DataError(
            f"{where} has times in the columns '{typed[0]}' and '{typed[1]}'; say which count, such as time_columns = "
            f'["{typed[0]}"], and skip_columns = ["{typed[1]}"] in the card'
        )
    return next((name for name in typed or names if typed or name.lower() in (*USUAL["time"], *INDEX)), "")


def _is_whole(dtype: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_integer_dtype(dtype))


def _check_names(names: Sequence[str], where: Path) -> None:
    if len(names) > 1 and all(map(is_time, names)):
        raise DataError(
            f"{where} has times as the names of its columns, such as '{names[0]}'; turn it around, so that each row is "
            "one slot"
        )


def _numbers(frame: pd.DataFrame, card: ImportCard, where: Path) -> NDArray[Any]:
    import pandas as pd

    texts = frame.select_dtypes(["object", "string"])
    frame = frame.assign(**{str(name): numbers_of(texts[name], card, where) for name in texts})
    for name, dtype in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):
            raise DataError(
                f"{where} has a column '{name}' of {dtype} where numbers are wanted; convert it to float32, or say in "
                f'the card skip_columns = ["{name}"] if it does not count, or time_columns = ["{name}"] if it has times'
            )
    return frame.to_numpy(np.float64, na_value=np.nan)
