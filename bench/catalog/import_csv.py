"""A CSV with one slot per row, with or without a header and a first column of ISO times."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard, one_line
from bench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


def read_csv(path: Path, card: ImportCard) -> tuple[NDArray[np.float64], datetime | None]:
    """The values in the card's layout, and the time of the first row if there is a column of times.

    Raises:
        DataError: If a cell is no number, the columns do not fit the card, or the times have a gap.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as stream:
            first = stream.readline().strip()
        header = 0 if _has_header(card, _split(first, path), path) else None
        frame = pd.read_csv(path, header=header, encoding="utf-8-sig", low_memory=False)
    except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise DataError(
            f"{path} cannot be read as CSV: {one_line(error)}; write one slot per row, with commas"
        ) from error
    start = None
    if len(frame) and not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[0]):
        start = _check_times(frame.iloc[:, 0], card.interval, path)
        frame = frame.iloc[:, 1:]
    for number, (column, dtype) in enumerate(frame.dtypes.items(), start=1):
        if not pd.api.types.is_numeric_dtype(dtype):
            raise DataError(
                f"{path} holds something else than numbers in value column {number} ({column}); mend the file"
            )
    if frame.shape[1] != np.prod(card.row_shape()):
        raise DataError(
            f"{path} has {frame.shape[1]} value columns where {card.layout} of {card.row_shape()} wants "
            f"{np.prod(card.row_shape())}; correct grid, channels or layout in the card"
        )
    return frame.to_numpy(np.float64).reshape(-1, *card.row_shape()), start


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


def _check_times(column: pd.Series[Any], interval: int, path: Path) -> datetime:
    import pandas as pd

    try:
        times = pd.DatetimeIndex(pd.to_datetime(column, format="ISO8601"))
    except ValueError as error:
        raise DataError(
            f"{path} has a first column that is neither numbers nor ISO times: {one_line(error)}"
        ) from error
    if times.tz is not None or times.hasnans:
        raise DataError(
            f"{path} has a time that is empty or has a time zone; give local times such as 2024-01-01T00:30"
        )
    step = pd.Timedelta(minutes=interval)
    wrong = np.flatnonzero((times[1:] - times[:-1]) != step)
    if wrong.size:
        at = int(wrong[0])
        raise DataError(
            f"{path} has a gap in time: {times[at]} is followed by {times[at + 1]} where a step of {interval} minutes "
            'is wanted; fill the missing rows (empty cells, and missing = "nan" in the card) and sort them'
        )
    first: datetime = times[0].to_pydatetime()
    return first
