"""Long tables: a line for each time and cell, or each time and sensor, and a column for each channel.

A table is read twice: once for its times and sensors, once for its values, which are put where they belong in a file
without a name, in the data folder, that is mapped: lines may come in any order, and memory does not grow with them.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.array_files import imported_card
from bench.catalog.importing.column_numbers import numbers_of
from bench.catalog.importing.long_columns import columns_of
from bench.catalog.importing.nodes import Canvas, canvas_of, named
from bench.catalog.importing.time_forms import says_utc
from bench.catalog.importing.times import TimeAxis
from bench.errors import DataError
from bench.mapped import pieces
from bench.plain_text import counted

if TYPE_CHECKING:
    import pandas as pd


class Table(Protocol):
    """A table that is read a piece at a time, as often as is asked."""

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def where(self) -> Path: ...

    @property
    def notes(self) -> Sequence[str]:
        """Sentences on what was decided in reading, once all was read."""

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:
        """These columns, those of ``texts`` as they are written, and which share of the table is read behind."""


@dataclass
class LongTable:
    """A long table as a source of rows.

    Attributes:
        table: What is read.
        asked: The user's card.
        folder: Of the card.
        scratch: Where a file of the size of the array may lie meanwhile.
        card: What the rows are; whole once a piece was read.
    """

    table: Table
    asked: ImportCard
    folder: Path
    scratch: Path
    on_progress: Callable[[int, int], None]
    card: ImportCard = field(init=False)
    _canvas: Canvas | None = None

    def __post_init__(self) -> None:
        self.columns = columns_of(self.table.columns, self.asked, self.table.where)
        if self.asked.times:
            raise DataError(
                f"{self.table.where} is a long table, which has a time in each line, and no column "
                f"'{self.asked.times}'; correct times in the card, or leave it out"
            )
        self.card = imported_card(self.asked, self.asked.empty_cells)
        utc = says_utc([self.columns.time])
        self._axis = TimeAxis(self.asked, self.table.where, one_row_each=False, utc=utc)
        self._absent = 0

    @property
    def start(self) -> datetime | None:
        return self._axis.start

    @property
    def notes(self) -> list[str]:
        what = counted(self._absent, "time and cell has no line and is", "times and cells have no line and are")
        absent = f"{what} {self.asked.absent}" if self._absent else ""
        canvas = self._canvas.note() if self._canvas else ""
        return [note for note in (canvas, *self.table.notes, *self._axis.notes, absent) if note]

    def rows(self) -> Generator[NDArray[Any]]:
        """The values ``[t, C, H, W]``, NaN where there is no line, unless the card says otherwise.

        Raises:
            DataError: If the table is not what the card says.
        """
        moments, names = self._surveyed()
        slot_of = self._slots(moments)
        self._canvas = canvas_of(self.asked, self.folder, len(names), [*names], self.table.where) if names else None
        cells = math.prod(self.asked.grid)
        slots = 1 + max(slot_of.values())
        with ExitStack() as files:
            values = _filled(files, self.scratch, (slots, len(self.columns.channels), cells), np.float32)
            seen = _filled(files, self.scratch, (slots, cells), np.bool_)
            self._put(values, seen, slot_of, names)
            empty = self._empty(seen)
            self.card = imported_card(self.asked, empty)
            present = np.zeros(slots, dtype=bool)
            present[[*slot_of.values()]] = True
            for piece in pieces(values.shape):
                yield self._piece(values[piece], seen[piece], present[piece], empty)

    def _surveyed(self) -> tuple[dict[Any, None], dict[str, int]]:
        """The times as they are written, and the sensors in the order in which they come first."""
        columns = self.columns
        read = [columns.time, *(columns.place if len(columns.place) == 1 else ())]
        moments: dict[Any, None] = {}
        names: dict[str, int] = {}
        with closing(self.table.frames(read, read)) as frames:
            for frame, share in frames:
                moments |= dict.fromkeys(frame[columns.time].unique().tolist())
                for name in _names(frame[columns.place[0]]).unique() if len(columns.place) == 1 else ():
                    names.setdefault(name, len(names))
                self.on_progress(round(500 * share), 1000)
        if not moments:
            raise DataError(f"{self.table.where} holds a header and no line; give the file with its lines")
        if "" in names:
            raise DataError(f"{self.table.where} has a line without a name in '{columns.place[0]}'; fill it")
        return moments, names

    def _slots(self, moments: dict[Any, None]) -> dict[Any, int]:
        """The slot of each time as it is written."""
        import pandas as pd

        written = [*moments]
        times = self._axis.read(pd.Series(written))
        distinct, number_of = np.unique(times, return_inverse=True)
        slots = self._axis.slots(distinct)
        return dict(zip(written, slots[number_of].tolist(), strict=True))

    def _put(
        self, values: NDArray[np.float32], seen: NDArray[np.bool_], slot_of: dict[Any, int], names: dict[str, int]
    ) -> None:
        """Each value where it belongs; no place has two."""
        columns, texts = self.columns, [self.columns.time, *(self.columns.place if names else ())]
        read = [columns.time, *columns.place, *columns.channels]
        with closing(self.table.frames(read, texts)) as frames:
            for frame, share in frames:
                self._put_lines(frame, values, seen, slot_of, names)
                self.on_progress(round(500 + 500 * share), 1000)

    def _put_lines(
        self,
        frame: pd.DataFrame,
        values: NDArray[np.float32],
        seen: NDArray[np.bool_],
        slot_of: dict[Any, int],
        names: dict[str, int],
    ) -> None:
        columns = self.columns
        slots = frame[columns.time].map(slot_of).to_numpy(np.int64)
        cells = self._cells(frame, names)
        at = slots * seen.shape[1] + cells
        twice = _repeated(at) | seen[slots, cells]
        if twice.any():
            line = frame.iloc[int(np.argmax(twice))]
            where = " and ".join(f"{name} {named(line[name])}" for name in (columns.time, *columns.place))
            raise DataError(f"{self.table.where} has two lines for {where}; leave one of them")
        seen[slots, cells] = True
        with np.errstate(over="ignore"):
            for number, name in enumerate(columns.channels):
                values[slots, number, cells] = numbers_of(frame[name], self.asked, self.table.where)
        _write_back(values, seen)

    def _cells(self, frame: pd.DataFrame, names: dict[str, int]) -> NDArray[np.int64]:
        if self._canvas:
            lines = _names(frame[self.columns.place[0]]).map(names).to_numpy(np.int64)
            return self._canvas.cells[lines]
        rows_and_columns = []
        for name, size in zip(self.columns.place, self.asked.grid, strict=True):
            numbers = numbers_of(frame[name], self.asked, self.table.where) - self.asked.counts_from
            wrong = ~((numbers == np.rint(numbers)) & (numbers >= 0) & (numbers < size))
            if wrong.any():
                first = self.asked.counts_from
                remedy = f"correct grid, or say counts_from = {1 - first}, in the card"
                if (numbers != np.rint(numbers)).any():
                    keys = [self.columns.time, *self.columns.place]
                    remedy = f"number them, or give bench.import_data what frame.set_index({keys}).to_xarray() makes"
                raise DataError(
                    f"{self.table.where} has {name} {numbers[wrong][0] + first:g} where whole numbers from {first} to "
                    f"{size - 1 + first} are wanted; {remedy}"
                )
            rows_and_columns.append(numbers.astype(np.int64))
        return rows_and_columns[0] * self.asked.grid[1] + rows_and_columns[1]

    def _empty(self, seen: NDArray[np.bool_]) -> tuple[int, ...]:
        """Cells that never count: those without a sensor, and those without any line that are missing."""
        empty = {*self.asked.empty_cells, *(self._canvas.empty if self._canvas else ())}
        if self.asked.absent == "missing":
            some = np.zeros(seen.shape[1], dtype=bool)
            for piece in pieces(seen.shape):
                some |= seen[piece].any(axis=0)
            empty |= {*np.flatnonzero(~some).tolist()}
        return tuple(sorted(empty))

    def _piece(
        self, values: NDArray[np.float32], seen: NDArray[np.bool_], present: NDArray[np.bool_], empty: Sequence[int]
    ) -> NDArray[np.float32]:
        """A piece of the array; a slot without any line is a gap, which the axis has allowed."""
        rows, lost = np.array(values), ~seen
        lost[:, list(empty)] = False
        absent = lost & present[:, None]
        self._absent += int(absent.sum())
        if absent.any() and self.asked.absent == "error":
            cell = int(np.flatnonzero(absent.any(axis=0))[0])
            raise DataError(
                f"{self.table.where} has no line for some times and cells, such as {self._named(cell)}; say absent = "
                '"missing" or absent = "zero" in the card, or add the lines'
            )
        lost &= ~present[:, None] if self.asked.absent == "zero" else True
        rows.transpose(0, 2, 1)[lost] = np.nan
        return rows.reshape(len(rows), rows.shape[1], *self.asked.grid)

    def _named(self, cell: int) -> str:
        row, column = divmod(cell, self.asked.grid[1])
        return f"row {row + self.asked.counts_from}, column {column + self.asked.counts_from}"


def _repeated(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where a number comes again."""
    import pandas as pd

    return pd.Series(numbers).duplicated().to_numpy()


def _names(column: pd.Series[Any]) -> pd.Series[Any]:
    """Names of sensors, empty where there is none."""
    texts = (column.map(named) if column.dtype.kind == "f" else column).astype("string")
    return texts.where(column.notna(), "").str.strip()


def _filled(files: ExitStack, folder: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Zeros in a file without a name, which has its room on the disk before anything is written to it.

    Raises:
        OSError: If the disk has no room for it.
    """
    stream = files.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - the stack closes it
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(stream.fileno(), 0, size)
    else:
        stream.truncate(size)
    return np.memmap(stream, dtype=dtype, mode="r+", shape=shape)


def _write_back(*arrays: NDArray[Any]) -> None:
    """Leave what was written to the file, so that it does not count as memory of this process."""
    for array in arrays:
        base = array.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
            with suppress(OSError):  # a hint, no more
                base.madvise(mmap.MADV_DONTNEED)
