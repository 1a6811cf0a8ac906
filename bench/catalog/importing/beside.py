"""Times that a card names for a table: a column of it, or a file beside the card."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.source import Source
from bench.catalog.importing.stamps import stamps_of_file
from bench.catalog.importing.times import TimeAxis
from bench.errors import DataError


def with_time_column(card: ImportCard, columns: Sequence[str]) -> ImportCard:
    """A card whose ``times`` is a column of the table, with that said as ``time_columns``."""
    named = card.times and card.times in columns
    return card.model_copy(update={"time_columns": (card.times,), "times": ""}) if named else card


def with_times(source: Source, card: ImportCard, folder: Path, where: Path) -> Source:
    """A wide table, with the times of the file that its card names if it names one.

    Raises:
        DataError: If there is no such file, or it cannot be read.
    """
    if not card.times:
        return source
    path = folder / card.times
    if not path.is_file():
        raise DataError(f"{where} has no column '{card.times}', and there is no file {path} of times; correct times")
    return TimedRows(source, stamps_of_file(path, card), where, TimeAxis(card, path))


@dataclass
class TimedRows:
    """Rows without times, and a time for each."""

    source: Source
    times: NDArray[Any]
    where: Path
    axis: TimeAxis
    card: ImportCard = field(init=False)

    def __post_init__(self) -> None:
        self.card = self.source.card

    @property
    def start(self) -> datetime | None:
        return self.axis.start

    @property
    def notes(self) -> list[str]:
        return [*self.source.notes, *self.axis.notes]

    def rows(self) -> Generator[NDArray[Any]]:
        """The rows, and NaN where the times leave a slot out.

        Raises:
            DataError: If the rows have times of their own, or are not as many as the times.
        """
        count = 0
        with closing(self.source.rows()) as pieces:
            for rows in pieces:
                times = self.times[count : count + len(rows)]
                count += len(rows)
                yield from self.axis.filled(times, rows[: len(times)])
        if self.source.start is not None:
            raise DataError(f"{self.where} has times of its own; leave times out of the card")
        if count != len(self.times):
            raise DataError(f"{self.where} has {count} rows for {len(self.times)} times; give each row one")
