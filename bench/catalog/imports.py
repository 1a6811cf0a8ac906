"""A user's own array as a data set, without code: a TOML card beside an ``.npz``.

``stbench data import FILE --card card.toml`` checks both and writes ``<data dir>/<name>/card.toml`` and ``data.npz``.
``bench.catalog.import_card`` shows a complete card. The smallest one::

    name = "citybus"
    interval = 30
    grid = [10, 20]
"""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from bench.catalog import registry
from bench.catalog.import_card import CARD_FILE, DATA_FILE, ImportCard, one_line, read_card
from bench.catalog.import_csv import read_csv
from bench.clock import clock_from
from bench.errors import ConfigError, DataError
from bench.types import DatasetCard, RawSeries

LAYOUT = "import"  # begins the version of imported data
ALIKE = 5.0  # the most by which channels of one unit should differ in their standard deviation
BROKEN = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


def import_array(file: Path, card_file: Path, data_dir: Path, *, force: bool = False) -> tuple[DatasetCard, Path]:
    """Check an array and its card and put both into ``<data_dir>/<name>/``, wholly or not at all.

    Args:
        file: ``.npz``, ``.npy`` or ``.csv``.
        card_file: TOML, as in the module's docstring.
        data_dir: Folder of all data sets; made if it does not exist.
        force: Replace an import of the same name.

    Returns:
        The card and the folder.

    Raises:
        ConfigError: If the card does not validate, or its name is taken.
        DataError: If the array cannot be read or is not what the card says.
    """
    text, card = read_card(card_file)
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of an .npz, .npy or .csv")
    folder = data_dir / card.name
    _check_free(card.name, folder, force)
    if file.suffix.lower() == ".csv":
        array, start = read_csv(file, card)
        text, card = _with_start(text, card, start, file)
    else:
        array = _read_numpy(file, card)
    series = _series(card, array, file)
    try:
        _write(folder, text, {card.key or "data": array.astype(np.float32)})
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}; choose another --data-dir") from error
    return card.card(len(series.values)), folder


def read_imported(folder: Path) -> tuple[DatasetCard, RawSeries]:
    """Read what ``import_array`` wrote, or a folder that was laid out in the same way by hand.

    Raises:
        ConfigError: If the card does not validate or names another data set.
        DataError: If the array cannot be read or is not what the card says.
    """
    _, card = read_card(folder / CARD_FILE)
    if card.name != folder.name:
        raise ConfigError(f"{folder / CARD_FILE} names '{card.name}', but its folder is '{folder.name}'; rename one")
    file = folder / DATA_FILE
    series = _series(card, _read_numpy(file, card), file)
    return card.card(len(series.values)), series


def doubt_about_units(card: DatasetCard, values: NDArray[Any]) -> str:
    """A warning if one unit is named for channels whose values ``[T, C, H, W]`` spread very differently; else empty."""
    if not isinstance(card.unit, str) or len(card.channels) == 1:
        return ""
    spread = np.nanstd(values, axis=(0, 2, 3), dtype=np.float64)
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
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in (CARD_FILE, DATA_FILE))
    if strangers:
        raise ConfigError(f"{folder} holds {strangers[0]}, which no import wrote; move it away or choose another name")
    if not force:
        raise ConfigError(f"{folder} exists already; add --force to replace it, or choose another name in the card")


def _read_numpy(path: Path, card: ImportCard) -> NDArray[Any]:
    try:
        with path.open("rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            array = loaded if isinstance(loaded, np.ndarray) else loaded[_key(path, card, loaded.files)]
    except BROKEN as error:
        raise DataError(
            f"{path} is not a readable .npz or .npy of plain numbers ({one_line(error)}); it may be cut off or hold "
            "Python objects, so write it again with numpy.savez"
        ) from error
    return np.asarray(array)


def _key(path: Path, card: ImportCard, keys: list[str]) -> str:
    if card.key in keys:
        return card.key
    if card.key or len(keys) != 1:
        wanted = f"'{card.key}'" if card.key else "one array only"
        raise DataError(
            f"{path} holds {', '.join(keys) or 'nothing'} where {wanted} is wanted; name it as key in the card"
        )
    return keys[0]


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


def _series(card: ImportCard, array: NDArray[Any], path: Path) -> RawSeries:
    """Bring the array from the declared layout to ``[T, C, H, W]`` and check its values."""
    if array.dtype.kind not in "biuf":
        raise DataError(f"{path} holds {array.dtype} where plain numbers are wanted; convert it to float32")
    if array.shape[1:] != card.row_shape() or not len(array):
        wanted = ", ".join(["T", *map(str, card.row_shape())])
        raise DataError(
            f"{path} has shape {array.shape} where {card.layout} wants ({wanted}); correct the card or the file"
        )
    with np.errstate(over="ignore"):
        values = array.astype(np.float32)
    if card.layout in ("TN", "TNC"):
        values = values.reshape(len(values), *card.grid, *values.shape[2:])
    values = np.moveaxis(values, -1, 1) if card.layout.endswith("C") else values
    values = values.reshape(len(values), len(card.channels), *card.grid)[:, card.used]
    _check_values(card, values, path)
    return RawSeries(values=values, clock=clock_from(card.start, card.interval, len(values)), layout=LAYOUT)


def _check_values(card: ImportCard, values: NDArray[np.float32], path: Path) -> None:
    if np.isinf(values).any():
        raise DataError(f"{path} holds infinite values, or some too large for float32; remove them or change the unit")
    gaps = int(np.isnan(values).sum())
    if gaps and card.missing == "none":
        raise DataError(f'{path} holds {gaps} NaN; fill them, or say missing = "nan" in the card')
    if card.nonnegative and (values < 0).any():
        raise DataError(
            f"{path} holds negative values down to {np.nanmin(values)}; say nonnegative = false in the card"
        )


def _write(folder: Path, text: str, arrays: dict[str, NDArray[np.float32]]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".import-") as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        (new / CARD_FILE).write_text(text, encoding="utf-8")
        with zipfile.ZipFile(new / DATA_FILE, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, array in arrays.items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as stream:
                    np.lib.format.write_array(stream, array, allow_pickle=False)
        old = Path(scratch) / "old"
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
