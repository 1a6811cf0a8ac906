"""A user's own data set in the data folder: a TOML card beside an ``.npy``, or an ``.npz`` put there by hand.

``bench.catalog.importing`` makes it; ``bench.catalog.import_card`` shows a complete card.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import BY_HAND, CARD_FILE, DATA_FILE, ImportCard, read_card
from bench.catalog.missing import MissingMarks
from bench.catalog.numpy_files import NumpyFile
from bench.clock import clock_from
from bench.errors import ConfigError, DataError
from bench.mapped import in_pieces
from bench.types import DatasetCard, RawSeries

LAYOUT = "import"  # begins the version of imported data
ALIKE = 5.0  # the most by which channels of one unit should differ in their standard deviation


def read_imported(folder: Path) -> tuple[DatasetCard, RawSeries]:
    """Read what ``import_array`` wrote, or a folder that was laid out in the same way by hand.

    Raises:
        ConfigError: If the card does not validate or names another data set.
        DataError: If the array cannot be read or is not what the card says.
    """
    card, file = _imported(folder)
    array, checks = file.whole(), Checks(card, file.path)
    if file.path.name == BY_HAND and card.missing:
        array = MissingMarks(card, file.path).as_nan(array)
    values = in_grid(card, array)
    for rows in in_pieces(values):
        checks.add(to_float32(rows))
    checks.finish()
    clock = clock_from(card.start, card.interval, len(values))
    cell_mask = ~card.empty if card.empty_cells else None
    return card.card(len(values)), RawSeries(values=values, clock=clock, layout=LAYOUT, cell_mask=cell_mask)


def imported_card(folder: Path) -> DatasetCard:
    """The card of what ``import_array`` wrote; of the array only its header is read.

    Raises:
        ConfigError: If the card does not validate or names another data set.
        DataError: If the array cannot be found or is not of the shape that the card says.
    """
    card, file = _imported(folder)
    return card.card(file.shape[card.layout.index("T")])


def doubt_about_units(card: DatasetCard, values: NDArray[Any]) -> str:
    """A warning if one unit is named for channels whose values ``[T, C, H, W]`` spread very differently; else empty."""
    if not isinstance(card.unit, str) or len(card.channels) == 1:
        return ""
    spread = _deviations(values)
    widest, least = int(spread.argmax()), int(np.where(spread > 0, spread, np.inf).argmin())
    if spread[widest] <= ALIKE * spread[least]:
        return ""
    named = ", ".join(f'"<unit of {name}>"' for name in card.channels)
    return (
        f"the channels of {card.name} have one unit, '{card.unit}', but '{card.channels[widest]}' spreads "
        f"{spread[widest] / spread[least]:.3g} times as wide as '{card.channels[least]}' and would decide every "
        f"score; say unit = [{named}] in the card for scores of each channel alone, or "
        f'use_channels = ["{card.channels[widest]}"] for some of them, and import again with --force, or force=True'
    )


class Checks:
    """Holds values against what a card says of them, piece by piece."""

    def __init__(self, card: ImportCard, path: Path) -> None:
        self._card, self._path, self._values, self._gaps, self._negative = card, path, 0, 0, 0
        self._lowest, self._nearest = 0.0, -np.inf

    def add(self, values: NDArray[np.float32]) -> None:
        """Look at a piece.

        Raises:
            DataError: If a value is infinite.
        """
        if self._card.empty_cells:
            values = values[:, :, ~self._card.empty]
        if np.isinf(values).any():
            raise DataError(
                f"{self._path} holds infinite values, or some too large for float32; remove them or change the unit"
            )
        negative = values[values < 0]
        self._values, self._negative = self._values + values.size, self._negative + negative.size
        self._gaps += int(np.isnan(values).sum())
        self._lowest = min(self._lowest, float(negative.min(initial=0)))
        self._nearest = max(self._nearest, float(negative.max(initial=-np.inf)))

    def finish(self) -> None:
        """To be called after the last piece.

        Raises:
            DataError: If values are missing or negative that must not be.
        """
        if self._gaps and not self._card.may_miss_values:
            raise DataError(f'{self._path} holds {self._gaps} NaN; fill them, or say missing = "nan" in the card')
        if self._card.nonnegative and self._negative:
            raise DataError(f"{self._path} holds {self._negatives()}")

    def _negatives(self) -> str:
        """How many there are and what to do; if all are one value, it may be a mark and no measurement."""
        share = f"{self._negative} negative values ({100 * self._negative / self._values:.2g} %)"
        if self._lowest < self._nearest:
            return (
                f"{share} down to {self._lowest:g}; say nonnegative = false in the card if they were measured, or name "
                f"what marks a missing value, as missing = [{self._lowest:g}]"
            )
        share = share.replace("values", "value") if self._negative == 1 else f"{share}, all of them"
        return (
            f"{share} {self._lowest:g}; say missing = [{self._lowest:g}] in the card if that marks a missing value, "
            "or nonnegative = false if it was measured"
        )


def in_grid(card: ImportCard, array: NDArray[Any]) -> NDArray[Any]:
    """From the declared layout to ``[T, C, H, W]``, a view of the array where its channels allow it."""
    letters = [letter for letter in "TCHWN" if letter in card.layout]
    array = array.transpose([card.layout.index(letter) for letter in letters])
    array = array.reshape(len(array), len(card.channels), *card.grid)
    first, *_, last = used = [card.used[0], *card.used]
    step = max(1, (last - first) // max(1, len(card.used) - 1))
    evenly = list(range(first, last + 1, step)) == card.used
    return array[:, first : last + 1 : step] if evenly else array[:, used[1:]]


def to_float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)


def _imported(folder: Path) -> tuple[ImportCard, NumpyFile]:
    _, card = read_card(folder / CARD_FILE)
    if card.name != folder.name:
        raise ConfigError(f"{folder / CARD_FILE} names '{card.name}', but its folder is '{folder.name}'; rename one")
    file, by_hand = folder / DATA_FILE, folder / BY_HAND
    if file.exists() and by_hand.exists():
        raise DataError(f"{folder} holds both {DATA_FILE} and {BY_HAND}; move away the one that is not meant")
    if not (file.exists() or by_hand.exists()):
        raise DataError(f"{folder} holds a card and no {DATA_FILE}; put the array there, or import it once more")
    return card, NumpyFile.of(file if file.exists() else by_hand, card)


def _deviations(values: NDArray[Any]) -> NDArray[np.float64]:
    """The standard deviation of each channel of ``[T, C, H, W]``, of the values that are not NaN."""

    def means(of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        total, count = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for rows in in_pieces(values):
            numbers = of(rows.astype(np.float64))
            total += np.nansum(numbers, axis=(0, 2, 3))
            count += np.isfinite(numbers).sum(axis=(0, 2, 3))
        return total / np.maximum(count, 1)

    mean = means(lambda numbers: numbers)[:, None, None]
    return np.sqrt(means(lambda numbers: (numbers - mean) ** 2))
