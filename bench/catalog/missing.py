"""What a card names as marks of missing values, made NaN and counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.errors import DataError

NAN: Final = frozenset(("nan", "na", "n/a", "#n/a", "<na>", "null", "none", "-nan", "-nan(ind)", "1.#qnan", "-1.#ind"))
"""How NaN is spelt, in small letters, by people and by C."""


class MissingMarks:
    """The numbers that mark missing values, counted over all pieces; a source sees to marks that are texts.

    Attributes:
        counts: How often each number that the card names was found.
    """

    def __init__(self, card: ImportCard, file: Path) -> None:
        self.counts: Counter[float] = Counter({mark: 0 for mark in card.missing if not isinstance(mark, str)})
        self._nan_is_named = any(isinstance(mark, str) for mark in card.missing)
        self._card, self._file, self._nan = card, file, 0

    def count(self, rows: NDArray[Any]) -> None:
        """Count the marks in a piece of what will be used."""
        for number in self.counts:
            self.counts[number] += int(_equals(rows, number).sum())
        self._nan += int(np.isnan(rows).sum()) if rows.dtype.kind == "f" else 0

    def as_nan(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """The values of a piece, NaN where they are a mark."""
        with np.errstate(over="ignore"):
            values = rows.astype(np.float32)
        for number in self.counts:
            values[_equals(rows, number)] = np.nan
        return values

    def finish(self) -> None:
        """To be called after the last piece.

        Raises:
            DataError: If a card that names marks does not name NaN, and there are some.
        """
        if self._nan and self._card.missing and not self._nan_is_named and self._card.gaps == "error":
            named = ", ".join(f"{mark:g}" for mark in self.counts)
            raise DataError(
                f'{self._file} holds {self._nan} NaN; say missing = [{named}, "nan"] in the card if these are missing'
            )

    def note(self) -> str:
        """A sentence on what was found; empty if the card names no number."""
        marks = ", ".join(f"{mark:g}: {count}" for mark, count in self.counts.items())
        return f"values that mark missing ones, and how many were found: {marks}" if marks else ""


def _equals(rows: NDArray[Any], number: float) -> NDArray[np.bool_]:
    """Where values are this number, or what is left of it in float32."""
    if rows.dtype.kind in "biu":
        return np.asarray(rows == number)
    with np.errstate(over="ignore"):
        return np.asarray((rows == number) | (rows == np.float32(number)))
