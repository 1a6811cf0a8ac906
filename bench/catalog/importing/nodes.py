"""Sensors on a canvas: each at a cell of its own, told by a file, by coordinates, or row by row.

A file of sensors is a CSV with a header, or LibCity's ``.geo``. Beside the names (``node``, ``sensor_id``, ``geo_id``
or the card's ``dims.node``) it has columns ``row`` and ``column``, or coordinates: ``latitude`` and ``longitude``, or
``x`` and ``y``. North is the first row. Coordinates are stretched so that the outermost sensors lie at the edges of the
grid; then each sensor, in the order of the file, takes the free cell nearest to its place, and of several such cells
the first row by row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import IN_ORDER, ImportCard
from bench.catalog.importing.column_names import names_a_cell, order_of
from bench.catalog.importing.csv_header import names_of
from bench.catalog.importing.csv_lines import csv_lines
from bench.errors import DataError
from bench.plain_text import counted, one_line

if TYPE_CHECKING:
    import pandas as pd

NAMES: Final = ("node", "node_id", "sensor", "sensor_id", "station", "station_id", "geo_id", "entity_id", "id")
PLACES: Final = (("row", "column"), ("row_id", "column_id"))
POLE: Final = 90
COORDINATES: Final = (("latitude", "longitude"), ("lat", "lon"), ("lat", "lng"), ("y", "x"))


@dataclass(frozen=True)
class Canvas:
    """The cell of each sensor.

    Attributes:
        cells: ``[N]``, numbers of cells row by row, all different.
        how: Where their names say it, a sentence on that.
    """

    grid: tuple[int, int]
    cells: NDArray[np.int64]
    how: str = ""

    @property
    def empty(self) -> tuple[int, ...]:
        """Cells without a sensor, row by row."""
        return tuple(np.setdiff1d(np.arange(math.prod(self.grid)), self.cells).tolist())

    def spread(self, rows: NDArray[Any]) -> NDArray[Any]:
        """``[t, C, N]`` to ``[t, C, H, W]``, 0 in empty cells."""
        canvas = np.zeros((*rows.shape[:2], math.prod(self.grid)), rows.dtype)
        canvas[:, :, self.cells] = rows
        return canvas.reshape(*rows.shape[:2], *self.grid)

    def note(self) -> str:
        """A sentence on how many cells are empty."""
        H, W = self.grid
        sensors = counted(len(self.cells), "sensor lies", "sensors lie")
        empty = counted(len(self.empty), "cell is empty and counts in nothing", "cells are empty and count in nothing")
        return f"{sensors} on {H} x {W} cells; {empty if self.empty else 'no cell is empty'}{self.how}"


def named(label: object) -> str:
    """The name of a sensor as a text, whatever a file holds it as: bytes, or a whole number with a point."""
    if isinstance(label, bytes):
        label = label.decode("utf-8", "replace")
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label).strip()


def canvas_of(card: ImportCard, folder: Path, count: int, names: Sequence[str] | None, where: Path | str) -> Canvas:
    """Where ``count`` sensors lie, whose ``names`` are in the order of the array; None if they have none.

    A file of sensors lies in ``folder``, which is the card's.

    Raises:
        DataError: If there are too many for the grid, or the card's file does not place each at a cell of its own.
    """
    cells = math.prod(card.grid)
    if count > cells:
        H = math.isqrt(count - 1) + 1
        raise DataError(
            f"{where} has {count} sensors, but grid = {list(card.grid)} has {cells} cells; "
            f"grid = {[H, -(-count // H)]} would hold them"
        )
    if isinstance(card.nodes, int) or not card.nodes:
        if card.nodes and card.nodes != count:
            raise DataError(f"{where} has {count} sensors, but the card says nodes = {card.nodes}; correct it")
        return _by_names(card, count, names, where)
    return _from_file(folder / card.nodes, card, count, names)


def _by_names(card: ImportCard, count: int, names: Sequence[str] | None, where: Path | str) -> Canvas:
    """Sensors row by row, or where their names say, as columns of a table lie, if there are as many as cells."""
    if card.nodes or names is None or count != math.prod(card.grid):
        if names and not card.nodes and card.columns != IN_ORDER and all(map(names_a_cell, names)):
            raise DataError(
                f"{where} has {count} sensors for {math.prod(card.grid)} cells, whose names, such as '{names[0]}', are "
                "rows and columns; give a file with node, row and column as nodes in the card, or say columns = "
                '"in order"'
            )
        return Canvas(card.grid, np.arange(count))
    one = {"channels": card.channels[:1], "layout": "TN"} | ({"columns": ""} if len(card.channels) > 1 else {})
    order = order_of(names, count, card.model_copy(update=one), where)
    how = f"; {order.note.replace('columns', 'sensors', 1)}" if "matched" in order.note else ""
    return Canvas(card.grid, np.argsort(order.columns), how)


def _from_file(path: Path, card: ImportCard, count: int, names: Sequence[str] | None) -> Canvas:
    table = _table(path, card)
    listed = _names(table, card, path)
    order = _order(path, listed, count, names)
    for row, column in ((card.dims.row, card.dims.column), *PLACES):
        if {row, column} <= {*table.columns}:
            cells = _stated(table, row, column, card, path)
            break
    else:
        used = np.sort(order)
        cells = np.full(len(table), -1)
        cells[used] = _nearest(*_coordinates(table, path, used), card.grid)
    cells = cells[order]
    if len(np.unique(cells)) < len(cells):
        values, counts = np.unique(cells, return_counts=True)
        at = divmod(int(values[counts > 1][0]), card.grid[1])
        raise DataError(f"{path} puts two sensors at row {at[0]}, column {at[1]}; give each a cell of its own")
    return Canvas(card.grid, cells)


def _table(path: Path, card: ImportCard) -> pd.DataFrame:
    """What a file of sensors says, with names in small letters but for those that the card names."""
    import pandas as pd

    if not path.exists():
        raise DataError(
            f"there is no file {path} of sensors, which the card names as nodes; put it there, or correct it"
        )
    stated = {*card.dims.model_dump().values()}
    try:
        with csv_lines(path, lambda _: None) as (lines, _):
            names = names_of(lines, path)
            rows = [lines.cells(line) for line in lines.rows][1:]
    except DataError as error:
        raise DataError(
            f"the file of sensors {path} cannot be read as CSV: {one_line(error)}; give each sensor a line with its "
            "name, row and column"
        ) from error
    if odd := [row for row in rows if len(row) != len(names)]:
        raise DataError(
            f"{path} has {len(odd[0])} cells for '{odd[0][0]}' where the header has {len(names)}; correct it"
        )
    table = pd.DataFrame(rows, columns=[name if name in stated else name.lower() for name in names], dtype=str)
    return table.loc[:, [bool(name) for name in names]]  # what has no name says nothing


def _names(table: pd.DataFrame, card: ImportCard, path: Path) -> list[str]:
    possible = (card.dims.node,) if card.dims.node in table.columns else NAMES
    present = [name for name in possible if name in table.columns]
    if not present:
        raise DataError(
            f"{path} has the columns {', '.join(table.columns)} and none called 'node'; begin it with a header such as "
            "node,row,column or node,latitude,longitude"
        )
    named = table[present[0]]
    if repeated := sorted({*named[named.duplicated()]}):
        raise DataError(f"{path} names the sensor '{repeated[0]}' twice; give each one line")
    return list(named)


def _order(path: Path, listed: Sequence[str], count: int, names: Sequence[str] | None) -> NDArray[np.int64]:
    """The line of each sensor of the array."""
    if names is None:
        if len(listed) != count:
            raise DataError(
                f"{path} has {len(listed)} sensors where the array has {count}; give each one line, in order"
            )
        numbers = list(map(str, range(count)))
        names = numbers if {*listed} == {*numbers} else listed
    line = {name: number for number, name in enumerate(listed)}
    if lost := [name for name in names if name not in line]:
        raise DataError(f"{path} does not say where the sensor '{lost[0]}' lies; add a line for it")
    return np.array([line[name] for name in names], dtype=np.int64)


def _stated(table: pd.DataFrame, row: str, column: str, card: ImportCard, path: Path) -> NDArray[np.int64]:
    rows_and_columns = []
    for name, size in zip((row, column), card.grid, strict=True):
        numbers = _numbers(table, name, path) - card.counts_from
        wrong = numbers[(numbers != np.rint(numbers)) | (numbers < 0) | (numbers >= size)]
        if wrong.size:
            first = card.counts_from
            raise DataError(
                f"{path} has {name} {wrong[0] + first:g} where whole numbers from {first} to {size - 1 + first} are "
                "wanted; correct it, or grid or counts_from in the card"
            )
        rows_and_columns.append(numbers.astype(np.int64))
    return rows_and_columns[0] * card.grid[1] + rows_and_columns[1]


def _numbers(table: pd.DataFrame, name: str, path: Path) -> NDArray[np.float64]:
    import pandas as pd

    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    if not np.isfinite(numbers).all():
        line = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise DataError(f"{path} has '{table[name].iloc[line]}' in column {name} of row {line + 1}; write a number")
    return numbers


def _coordinates(
    table: pd.DataFrame, path: Path, used: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """North and east of the sensors that are used."""
    if "coordinates" in table.columns:
        pairs = [_point(text, path) for text in table["coordinates"].iloc[used]]
        return _latitudes(np.array([pair[1] for pair in pairs]), path), np.array([pair[0] for pair in pairs])
    lower = table.iloc[used]
    for north, east in COORDINATES:
        if {north, east} <= {*lower.columns}:
            numbers = _numbers(lower, north, path)
            return _latitudes(numbers, path) if north.startswith("lat") else numbers, _numbers(lower, east, path)
    raise DataError(
        f"{path} has the columns {', '.join(table.columns)}; wanted beside the names row and column, or latitude and "
        "longitude, or x and y"
    )


def _latitudes(north: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    if (wrong := north[np.abs(north) > POLE]).size:
        raise DataError(
            f"{path} has the latitude {wrong[0]:g}, which is none; latitude and longitude may stand for each other, so "
            "correct their order, or call coordinates that are no degrees x and y"
        )
    return north


def _point(text: Any, path: Path) -> tuple[float, float]:
    """East and north of a point of LibCity, ``[longitude, latitude]``."""
    try:
        east, north = (float(number) for number in json.loads(text))
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} has the coordinates {text}; wanted a point such as [-118.3, 34.1]") from error
    if not (math.isfinite(east) and math.isfinite(north)):
        raise DataError(f"{path} has the coordinates {text}; wanted a point such as [-118.3, 34.1]")
    return east, north


def _nearest(north: NDArray[np.float64], east: NDArray[np.float64], grid: tuple[int, int]) -> NDArray[np.int64]:
    """Free cells nearest to coordinates, in their order."""
    H, W = grid
    rows, columns = _stretched(-north, H), _stretched(east, W)
    distance_down, distance_right = np.arange(H)[:, None], np.arange(W)[None, :]
    free, cells = np.zeros((H, W)), []
    for row, column in zip(rows, columns, strict=True):
        cell = int(np.argmin((distance_down - row) ** 2 + (distance_right - column) ** 2 + free))
        free.flat[cell] = np.inf
        cells.append(cell)
    return np.array(cells, dtype=np.int64)


def _stretched(places: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """From 0 to ``size - 1``; the middle where all are one."""
    low, high = places.min(), places.max()
    return np.full(len(places), (size - 1) / 2) if low == high else (places - low) / (high - low) * (size - 1)
