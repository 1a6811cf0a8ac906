"""A user's own array as a data set, without code: ``stbench data import FILE --card card.toml``.

It checks the array and its card and writes ``<data dir>/<name>/card.toml`` and ``data.npy``, piece by piece.
``bench.catalog.import_card`` shows a complete card. The smallest one::

    name = "citybus"
    interval = 30
    grid = [10, 20]
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from bench.catalog import registry
from bench.catalog.import_card import BY_HAND, CARD_FILE, DATA_FILE, ImportCard, read_card
from bench.catalog.imported import Checks, in_grid
from bench.catalog.importing.source import NumpySource, Source
from bench.catalog.importing.wide_csv import CsvFile
from bench.catalog.missing import MissingMarks
from bench.catalog.npy import npy_file
from bench.catalog.numpy_files import NumpyFile, check_shape
from bench.errors import ConfigError, DataError
from bench.types import DatasetCard


def import_array(
    file: Path,
    card_file: Path,
    data_dir: Path,
    *,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,  # noqa: ARG005
    on_note: Callable[[str], None] = lambda note: None,  # noqa: ARG005
) -> tuple[DatasetCard, Path]:
    """Check an array and its card and put both into ``<data_dir>/<name>/``, wholly or not at all.

    Args:
        file: ``.npz``, ``.npy`` or ``.csv``.
        card_file: TOML, as in the module's docstring.
        data_dir: Folder of all data sets; made if it does not exist.
        force: Replace an import of the same name.
        on_progress: Told how much of how much was read, after each piece.
        on_note: Told in a sentence what was decided in reading, once all was read.

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
            marks = MissingMarks(card, file)
            slots = _copy(source, card, marks, file, new / DATA_FILE)
            text, card = _with_start(text, card, source.start, file)
            (new / CARD_FILE).write_text(text, encoding="utf-8")
            _put(new, folder, Path(scratch) / "old")
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}; choose another --data-dir") from error
    for note in filter(None, (*source.notes, marks.note())):
        on_note(note)
    return card.card(slots), folder


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


def _opened(file: Path, card: ImportCard, on_progress: Callable[[int, int], None]) -> Source:
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the path of an .npz, .npy or .csv")
    if re.search(r"\.(csv|tsv|txt)(\.gz)?$", file.name.lower()):
        size = file.stat().st_size
        return CsvFile(file, card, lambda done: on_progress(done, size))
    return NumpySource(NumpyFile.of(file, card), on_progress)


def _copy(source: Source, card: ImportCard, marks: MissingMarks, file: Path, target: Path) -> int:
    """Check a source and write it as float32 in its own layout; the number of its slots."""
    checks = Checks(card, file)
    with npy_file(target, card.row_shape(), np.float32) as array, closing(source.rows()) as pieces:
        for rows in pieces:
            marks.count(in_grid(card, rows))
            values = marks.as_nan(rows)
            checks.add(in_grid(card, values))
            array.add(values)
        check_shape(card, (array.rows, *card.row_shape()), file)
        marks.finish()
        checks.finish()
        array.finish()
        return array.rows


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
