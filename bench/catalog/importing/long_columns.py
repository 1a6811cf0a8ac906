"""What the columns of a long table are: its times, its cells or sensors, and its values, by the card or their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.catalog.import_card import ImportCard
from bench.errors import DataError

USUAL: Final = {
    "time": ("time", "date", "datetime", "timestamp"),
    "row": ("row", "row_id", "y"),
    "column": ("column", "column_id", "col", "x"),
    "node": ("node", "node_id", "sensor", "sensor_id", "station", "station_id", "entity_id"),
}
NUMBERING: Final = ("", "dyna_id", "type", "index", "__index_level_0__", "unnamed: 0")  # say nothing of a value


@dataclass(frozen=True)
class Columns:
    """What the columns of a long table are.

    Attributes:
        place: Row and column, or the sensor.
        channels: Of the channels that are used, in their order.
    """

    time: str
    place: tuple[str, ...]
    channels: tuple[str, ...]


def is_long(names: Sequence[str], card: ImportCard) -> bool:
    """Whether a table with these columns has a line for each time and cell."""
    time, *places = (_column(names, part, card) for part in USUAL)
    cells = 2 if all(places[:2]) else 1
    names = [name for name in names if name not in card.skip_columns]
    few = len(names) <= 1 + cells + len(card.channels) + len(NUMBERING)
    return bool(time) and few and (all(places[:2]) or bool(places[2]))


def columns_of(names: Sequence[str], card: ImportCard, where: Path) -> Columns:
    """What each column is, by the card or by its usual name.

    Raises:
        DataError: If one is not there, or it is open which columns hold the values.
    """
    column_of = {part: _column(names, part, card) for part in USUAL}
    times = card.time_columns or [name for name in names if name.strip().lower() in USUAL["time"]]
    if len(times) > 1 and not card.dims.time:
        raise DataError(
            f"{where} has the columns of times {' and '.join(times)}; join them into one, or say under [dims] in the "
            "card which is time"
        )
    cell = ("row", "column") if column_of["row"] and column_of["column"] else ("node",)
    for part in ("time", *cell):
        if not column_of[part]:
            raise DataError(
                f"{where} has the columns {', '.join(names)}; say under [dims] in the card which of them are time, "
                "row and column, or time and node"
            )
    cell_columns = tuple(column_of[part] for part in cell)
    values = _values(names, (column_of["time"], *cell_columns), card, where)
    if twice := [name for name in (column_of["time"], *cell_columns, *values) if [*names].count(name) > 1]:
        raise DataError(f"{where} has two columns called '{twice[0]}'; remove or rename one")
    return Columns(column_of["time"], cell_columns, tuple(values[number] for number in card.used))


def _column(names: Sequence[str], part: str, card: ImportCard) -> str:
    stated = getattr(card.dims, part) or (part == "time" and "".join(card.time_columns[:1]))
    if stated:
        return stated if stated in names else ""
    return next((name for name in names if name.strip().lower() in USUAL[part] and name not in card.channels), "")


def _values(names: Sequence[str], taken: Sequence[str], card: ImportCard, where: Path) -> Sequence[str]:
    others = [
        name for name in names if name not in (*taken, *card.skip_columns) and name.strip().lower() not in NUMBERING
    ]
    values = card.keys or (card.channels if {*card.channels} <= {*others} or len(card.channels) > 1 else others)
    if lost := [name for name in values if name not in names]:
        raise DataError(
            f"{where} has the columns {', '.join(names)} and no '{lost[0]}'; name the columns of values as channels, "
            "or as key, in the card"
        )
    if len(values) != len(card.channels):
        raise DataError(
            f"{where} has the columns {', '.join(values) or 'of places alone'} for {len(card.channels)} channels; name "
            "those that hold the values as channels in the card"
        )
    return values
