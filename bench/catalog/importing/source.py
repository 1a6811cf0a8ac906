"""What every format is to an import: a source of rows."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any, Protocol

from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard


class Doubt(str):
    """A note on what is likely not as it was meant; a script that takes no notes is warned of it."""

    __slots__ = ()


class Source(Protocol):
    """Where the values of a data set come from.

    A format reads its times with ``bench.catalog.importing.times.TimeAxis``, turns texts that the card names as missing
    into NaN, and leaves numbers that mark missing values as they are.

    Attributes:
        card: What the rows are: the user's, or one of the ``[t, C, H, W]`` that was made of them.
        start: Local time of the first slot if the file has times, known once a piece was read.
        notes: Sentences on what was decided in reading, for the person who imports; whole once all was read.
    """

    @property
    def card(self) -> ImportCard: ...

    @property
    def start(self) -> datetime | None: ...

    @property
    def notes(self) -> list[str]: ...

    def rows(self) -> Generator[NDArray[Any]]:
        """The values, a piece of consecutive slots at a time, as ``card`` says.

        Raises:
            DataError: If the file is not what the card says.
        """
        ...
