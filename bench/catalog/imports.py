"""A user's own array as a data set, without code: a TOML card beside an ``.npy``, or an ``.npz`` put there by hand.

``stbench data import FILE --card card.toml`` checks both and writes ``<data dir>/<name>/card.toml`` and ``data.npy``,
piece by piece. ``bench.catalog.import_card`` shows a complete card. The smallest one::

    name = "citybus"
    interval = 30
    grid = [10, 20]
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bench.catalog import registry
from bench.catalog.import_card import BY_HAND, CARD_FILE, DATA_FILE, ImportCard, read_card
from bench.catalog.import_csv import CsvFile
from bench.catalog.import_numpy import NumpyFile, check_shape
from bench.catalog.npy import npy_file
from bench.clock import clock_from
from bench.errors import ConfigError, DataError
from bench.mapped import in_pieces
from bench.types import DatasetCard, RawSeries

LAYOUT = "import"  # begins the version of imported data
ALIKE = 5.0  # the most by which channels of one unit should differ in their standard deviation


def import_array(
    file: Path,
    card_file: Path,
    data_dir: Path,
    *,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
) -> tuple[DatasetCard, Path]:
    """Check an array and its card and put both into ``<data_dir>/<name>/``, wholly or not at all.

    Args:
        file: ``.npz``, ``.npy`` or ``.csv``.
        card_file: TOML, as in the module's docstring.
        data_dir: Folder of all data sets; made if it does not exist.
        force: Replace an import of the same name.
        on_progress: Told how much of how much was read, after each piece.

    Returns:
        The card and the folder.

    Raises:
        ConfigError: If the card does not validate, or its name is taken.
        DataError: If the array cannot be read or is not what the card says.
    """
    text, card = read_card(card_file)
    folder = data_dir / card.name
    _check_free(card.name, folder, force)
    source = _opened(file, card, on_progress)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".import-") as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            slots = _copy(source, card, file, new / DATA_FILE)
            text, card = _with_start(text, card, source.start, file)
            (new / CARD_FILE).write_text(text, encoding="utf-8")
            _put(new, folder, Path(scratch) / "old")
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}; choose another --data-dir") from error
    return card.card(slots), folder


def read_imported(folder: Path) -> tuple[DatasetCard, RawSeries]:
    """Read what ``import_array`` wrote, or a folder that was laid out in the same way by hand.

    Raises:
        ConfigError: If the card does not validate or names another data set.
        DataError: If the array cannot be read or is not what the card says.
    """
    card, file = _imported(folder)
    values, checks = _in_grid(card, file.whole()), Checks(card, file.path)
    for rows in in_pieces(values):
        checks.add(_float32(rows))
    checks.finish()
    series = RawSeries(values=values, clock=clock_from(card.start, card.interval, len(values)), layout=LAYOUT)
    return card.card(len(values)), series


def imported_card(folder: Path) -> DatasetCard:
    """The card of what ``import_array`` wrote; of the array only its header is read.

    Raises:
        ConfigError: If the card does not validate or names another data set.
        DataError: If the array cannot be found or is not of the shape that the card says.
    """
    card, file = _imported(folder)
    return card.card(file.shape[0])


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
        f'use_channels = ["{card.channels[widest]}"] for some of them, and import again with --force'
    )


def _check_free(name: str, folder: Path, force: bool) -> None:
    if name in registry.dataset_names():
        raise ConfigError(f"the data set '{name}' exists already in the benchmark; choose another name in the card")
    if not folder.exists():
        return
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in (CARD_FILE, DATA_FILE, BY_HAND))
    if strangers:
        raise ConfigError(f"{folder} holds {strangers[0]}, which no import wrote; move it away or choose another name")
    if not force:
        raise ConfigError(f"{folder} exists already; add --force to replace it, or choose another name in the card")


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


@dataclass
class _NumpySource:
    """An ``.npz`` or ``.npy`` as a source of rows; no times stand in it."""

    file: NumpyFile
    on_progress: Callable[[int, int], None]
    start: datetime | None = None

    def rows(self) -> Generator[NDArray[Any]]:
        done, slots = 0, self.file.shape[0]
        with closing(self.file.rows()) as pieces:
            for rows in pieces:
                yield rows
                done += len(rows)
                self.on_progress(done, slots)


def _opened(file: Path, card: ImportCard, on_progress: Callable[[int, int], None]) -> CsvFile | _NumpySource:
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of an .npz, .npy or .csv")
    if file.suffix.lower() == ".csv":
        size = file.stat().st_size
        return CsvFile(file, card, lambda done: on_progress(done, size))
    return _NumpySource(NumpyFile.of(file, card), on_progress)


def _copy(source: CsvFile | _NumpySource, card: ImportCard, file: Path, target: Path) -> int:
    """Check a source and write it as float32 in its own layout; the number of its slots."""
    checks = Checks(card, file)
    with npy_file(target, card.row_shape(), np.float32) as array, closing(source.rows()) as pieces:
        for rows in pieces:
            values = _float32(rows)
            checks.add(_in_grid(card, values))
            array.add(values)
        check_shape(card, (array.rows, *card.row_shape()), file)
        checks.finish()
        array.finish()
        return array.rows


def _imported(folder: Path) -> tuple[ImportCard, NumpyFile]:
    _, card = read_card(folder / CARD_FILE)
    if card.name != folder.name:
        raise ConfigError(f"{folder / CARD_FILE} names '{card.name}', but its folder is '{folder.name}'; rename one")
    file, by_hand = folder / DATA_FILE, folder / BY_HAND
    if file.exists() and by_hand.exists():
        raise DataError(f"{folder} holds both {DATA_FILE} and {BY_HAND}; move away the one that is not meant")
    return card, NumpyFile.of(file if file.exists() else by_hand, card)


def _with_start(text: str, card: ImportCard, start: datetime | None, file: Path) -> tuple[str, ImportCard]:
    """The card with the start that the CSV states, and its text with that line added."""
    if start is None or start == card.start:
        return text, card
    if card.start is not None:
        raise DataError(f"{file} starts at {start}, but the card says {card.start}; correct one of them")
    try:
        dated = ImportCard.model_validate({**card.model_dump(), "start": start})
    except ValidationError as error:
        raise DataError(f"{file} cannot be used: {error.errors()[0]['msg']}; correct the file or the card") from error
    return f"start = {start.isoformat()}  # from the column of times\n{text}", dated


def _in_grid(card: ImportCard, array: NDArray[Any]) -> NDArray[Any]:
    """From the declared layout to ``[T, C, H, W]``, a view of the array where its channels allow it."""
    if card.layout in ("TN", "TNC"):
        array = array.reshape(len(array), *card.grid, *array.shape[2:])
    array = np.moveaxis(array, -1, 1) if card.layout.endswith("C") else array
    array = array.reshape(len(array), len(card.channels), *card.grid)
    first, *_, last = used = [card.used[0], *card.used]
    step = max(1, (last - first) // max(1, len(card.used) - 1))
    evenly = list(range(first, last + 1, step)) == card.used
    return array[:, first : last + 1 : step] if evenly else array[:, used[1:]]


def _float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return rows.astype(np.float32)


class Checks:
    """Holds values against what a card says of them, piece by piece."""

    def __init__(self, card: ImportCard, path: Path) -> None:
        self._card, self._path, self._gaps, self._lowest = card, path, 0, 0.0

    def add(self, values: NDArray[np.float32]) -> None:
        """Look at a piece.

        Raises:
            DataError: If a value is infinite.
        """
        if np.isinf(values).any():
            raise DataError(
                f"{self._path} holds infinite values, or some too large for float32; remove them or change the unit"
            )
        self._gaps += int(np.isnan(values).sum())
        self._lowest = min(self._lowest, float(np.nanmin(values, initial=0)))

    def finish(self) -> None:
        """To be called after the last piece.

        Raises:
            DataError: If values are missing or negative that must not be.
        """
        if self._gaps and self._card.missing == "none":
            raise DataError(f'{self._path} holds {self._gaps} NaN; fill them, or say missing = "nan" in the card')
        if self._card.nonnegative and self._lowest < 0:
            raise DataError(
                f"{self._path} holds negative values down to {self._lowest}; say nonnegative = false in the card"
            )


def _put(new: Path, folder: Path, old: Path) -> None:
    """Give ``new`` the name ``folder``; what had it becomes ``old``, or stays if that fails."""
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
