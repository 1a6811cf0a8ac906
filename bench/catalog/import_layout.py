"""How values lie in a user's file: the keys of a card that an import reads, and nothing else does.

A complete list, in which the values shown are the defaults::

    layout = "TCHW"                 # of an array: T, H and W or N (cells row by row, or sensors), and C, in any order;
                                    # or "long": a table with a line for each time and cell
    key = ""                        # name of the array, variable or column of values; or a list, one for each channel
    times = ""                      # name of an array of times in the file, or of a file of times beside the card
    nodes = ""                      # how many sensors there are, laid row by row; or a file that says where they lie
    absent = "error"                # of a long table: a time and cell without a line; or "missing", or "zero"
    counts_from = 0                 # or 1: the number of the first row and column in a table
    empty_cells = []                # numbers, row by row, of cells where nothing is measured: they count in nothing

    [dims]                          # what the file calls its dimensions, or the columns of a long table
    time = ""                       # found without: time, date, datetime, timestamp
    row = ""                        # found without: row, row_id, y; of dimensions also lat, latitude
    column = ""                     # found without: column, column_id, col, x; of dimensions also lon, longitude
    node = ""                       # found without: node, sensor, station, and these with _id; entity_id
    channel = ""                    # found without: channel, variable, band, feature
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt

from bench.catalog.known_keys import KnownKeys

LONG: Final = "long"
FREE: Final = "TCHW"  # how an array lies once it is imported
Place = Annotated[str, Field(pattern=r"^[^\\]*$")]


def _known(layout: str) -> str:
    if layout == LONG or sorted(layout) in ([*"HTW"], [*"CHTW"], [*"NT"], [*"CNT"]):
        return layout
    raise ValueError("should be T, with H and W or N, and C if there is one, in any order, such as 'TCHW'; or 'long'")


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("write how many sensors there are, or the name of a file that says where they lie")
    return value


class Dims(KnownKeys):
    """What a file calls its dimensions; empty where a usual name is looked for."""

    time: str = ""
    row: str = ""
    column: str = ""
    node: str = ""
    channel: str = ""


class FileLayout(KnownKeys):
    """How values lie in a file; see the module's docstring."""

    layout: Annotated[str, AfterValidator(_known)] = FREE
    key: Place | tuple[Place, ...] = ""
    times: Place = ""
    nodes: Annotated[PositiveInt | Place, BeforeValidator(_no_truth)] = ""
    absent: Literal["error", "missing", "zero"] = "error"
    counts_from: Literal[0, 1] = 0
    empty_cells: tuple[Annotated[int, Field(ge=0)], ...] = ()
    dims: Dims = Dims()

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of the arrays that hold the values; empty where the file has to have one alone."""
        return (self.key,) * bool(self.key) if isinstance(self.key, str) else self.key

    def as_imported(self, channels: tuple[str, ...], empty: tuple[int, ...]) -> dict[str, Any]:
        """What a card says of the array that an import writes: ``[T, C, H, W]`` of these channels."""
        default = FileLayout()
        return {
            **{name: getattr(default, name) for name in FileLayout.model_fields},
            "channels": channels,
            "use_channels": (),
            "empty_cells": empty,
        }


def sizes(letters: str, channels: int, grid: tuple[int, int], nodes: int) -> tuple[int, ...]:
    """The size of each of these letters."""
    size = {"C": channels, "H": grid[0], "W": grid[1], "N": nodes or math.prod(grid)}
    return tuple(size[letter] for letter in letters)
