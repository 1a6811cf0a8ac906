"""A CSV with one slot per row, with or without a header and a first column of ISO times."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard, one_line
from bench.catalog.importing.times import TimeAxis
from bench.errors import DataError
from bench.mapped import PIECE

if TYPE_CHECKING:
    import pandas as pd


class CsvFile:
    """The values of a CSV, a piece at a time.

    Attributes:
        start: The time of the first row if there is a column of times, once a piece was read.
    """

    def __init__(self, path: Path, card: ImportCard, on_bytes: Callable[[int], None]) -> None:
        """Nothing is read yet; ``on_bytes`` is told how much was after each piece."""
        self.start: datetime | None = None
        self._path, self._card, self._on_bytes = path, card, on_bytes
        self.notes: list[str] = []
        self._times = TimeAxis(card, path)
        self._columns = math.prod(card.row_shape())

    def rows(self) -> Generator[NDArray[np.float64]]:
        """The values in the card's layout.

        Raises:
            DataError: If a cell is no number, the columns do not fit the card, or the times have a gap.
        """
        import pandas as pd

        timed = None
        with closing(self._frames()) as frames:
            for frame in frames:
                if timed is None:
                    timed = len(frame) > 0 and not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[0])
                values = frame.iloc[:, 1:] if timed else frame
                self._check_columns(values)
                rows = values.to_numpy(np.float64).reshape(-1, *self._card.row_shape())
                if timed:
                    yield from self._times.filled(frame.iloc[:, 0], rows)
                    self.start, self.notes = self._times.start, self._times.notes
                else:
                    yield rows

    def _frames(self) -> Generator[pd.DataFrame]:
        import pandas as pd

        try:
            with self._path.open(encoding="utf-8-sig") as text:
                first = text.readline().strip()
            header = 0 if _has_header(self._card, _split(first, self._path), self._path) else None
            rows = max(1, PIECE // self._columns)
            with (
                self._path.open("rb") as stream,
                pd.read_csv(stream, header=header, encoding="utf-8-sig", low_memory=False, chunksize=rows) as frames,
            ):
                for frame in frames:
                    yield frame
                    self._on_bytes(stream.tell())
        except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
            raise DataError(
                f"{self._path} cannot be read as CSV: {one_line(error)}; write one slot per row, with commas"
            ) from error

    def _check_columns(self, frame: pd.DataFrame) -> None:
        import pandas as pd

        path, card = self._path, self._card
        for number, (column, dtype) in enumerate(frame.dtypes.items(), start=1):
            if not pd.api.types.is_numeric_dtype(dtype):
                raise DataError(
                    f"{path} holds something else than numbers in value column {number} ({column}); mend the file"
                )
        if frame.shape[1] != self._columns:
            raise DataError(
                f"{path} has {frame.shape[1]} value columns where {card.layout} of {card.row_shape()} wants "
                f"{self._columns}; correct grid, channels or layout in the card"
            )


def _split(line: str, path: Path) -> list[str]:
    """The cells of the first line; outside quotes, a semicolon in it is the mark of another dialect."""
    if ";" in re.sub('"[^"]*"', "", line):
        raise DataError(f"{path} has semicolons in its first line; write it with commas, and with points in decimals")
    return line.split(",")


def _has_header(card: ImportCard, cells: list[str], path: Path) -> bool:
    first, *rest = (cell.strip().strip('"') for cell in cells)
    if card.header is not None:
        return card.header
    if not all(map(_is_number, rest)) or not (_is_number(first) or _is_time(first)):
        return True
    names = [cell for cell in (first, *rest) if cell]
    if len(rest) > 1 and all(map(str.isdecimal, names)) and len(set(names)) == len(names):
        raise DataError(
            f"{path} begins with whole numbers that are all different: these may be names of columns or the first "
            "slot; say header = true or header = false in the card"
        )
    return False


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return cell == "NA"
    return True


def _is_time(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True
