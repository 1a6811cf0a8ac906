"""What every format is to an import: a source of rows."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from numpy.typing import NDArray

from bench.catalog.numpy_files import NumpyFile


class Source(Protocol):
    """Where the values of a data set come from.

    A format reads its times with ``bench.catalog.importing.times.TimeAxis``, turns texts that the card names as missing
    into NaN, and leaves numbers that mark missing values as they are.

    Attributes:
        start: Local time of the first slot if the file has times, known once a piece was read.
        notes: Sentences on what was decided in reading, for the person who imports; whole once all was read.
    """

    start: datetime | None
    notes: list[str]

    def rows(self) -> Generator[NDArray[Any]]:
        """The values, a piece of consecutive slots at a time, in the card's layout.

        Raises:
            DataError: If the file is not what the card says.
        """
        ...


@dataclass
class NumpySource:
    """An ``.npz`` or ``.npy``; no times stand in it."""

    file: NumpyFile
    on_progress: Callable[[int, int], None]
    start: datetime | None = None
    notes: list[str] = field(default_factory=list)

    def rows(self) -> Generator[NDArray[Any]]:
        done, slots = 0, self.file.shape[0]
        with closing(self.file.rows()) as pieces:
            for rows in pieces:
                yield rows
                done += len(rows)
                self.on_progress(done, slots)
