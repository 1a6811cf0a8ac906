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
from typing import Final

import numpy as np
import tomli_w
from pydantic import ValidationError

from bench.catalog import registry
from bench.catalog.import_card import BY_HAND, CARD_FILE, DATA_FILE, ImportCard, read_card
from bench.catalog.imported import Checks, in_grid
from bench.catalog.importing.array_files import imported_card
from bench.catalog.importing.formats import Errand, check_there, opened
from bench.catalog.importing.source import Source
from bench.catalog.missing import MissingMarks
from bench.catalog.npy import npy_file
from bench.errors import ConfigError, DataError
from bench.types import DatasetCard

NUMBERS: Final = re.compile(r"\[\n((?:\s+-?\d+,\n)+)\]")  # a list as tomli_w writes it


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
        file: Of a kind that ``bench.catalog.importing.formats`` names.
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
    check_there(file)  # of a file that is mistyped nothing else is worth a word

    def open_file(scratch: Path) -> Source:
        return opened(Errand(file, card, card_file.parent, scratch, on_progress))

    return import_source(open_file, file, text, card, data_dir, force=force, on_note=on_note)


def import_source(
    open_source: Callable[[Path], Source],
    where: Path,
    text: str,
    card: ImportCard,
    data_dir: Path,
    *,
    force: bool,
    on_note: Callable[[str], None],
) -> tuple[DatasetCard, Path]:
    """As ``import_array``, from what ``open_source`` opens, given a folder for what is as large as the array.

    ``where`` is what is read, for messages, and ``text`` the card's.
    """
    folder = data_dir / card.name
    _check_free(card.name, folder, force)
    source = open_source(data_dir)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".import-") as scratch:
            new = Path(scratch) / "new"
            new.mkdir()
            marks = MissingMarks(source.card, where)
            slots = _copy(source, marks, where, new / DATA_FILE)
            text, stored = _stored(text, card, source, where)
            made = stored.card(slots)
            (new / CARD_FILE).write_text(text, encoding="utf-8")
            _put(new, folder, Path(scratch) / "old")
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror or error}; choose another --data-dir, or data_dir="
        ) from error
    for note in filter(None, (*source.notes, marks.note())):
        on_note(note)
    return made, folder


def _check_free(name: str, folder: Path, force: bool) -> None:
    if name in registry.dataset_names():
        raise ConfigError(f"the data set '{name}' exists already in the benchmark; choose another name in the card")
    if not folder.exists():
        return
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in (CARD_FILE, DATA_FILE, BY_HAND))
    if strangers:
        raise ConfigError(f"{folder} holds {strangers[0]}, which no import wrote; move it away or choose another name")
    if not force:
        raise ConfigError(
            f"{folder} exists already; --force, or force=True, replaces it, or choose another name in the card"
        )


def _copy(source: Source, marks: MissingMarks, where: Path, target: Path) -> int:
    """Check a source and write it as ``[T, C, H, W]`` float32; the number of its slots."""
    card, checks = source.card, None
    shape = (len(card.used), *card.grid)
    with npy_file(target, shape, np.float32) as array, closing(source.rows()) as pieces:
        for rows in pieces:
            checks = checks or Checks(_stored_card(source.card), where)
            grid = in_grid(card, rows)
            marks.count(grid)
            values = marks.as_nan(grid)
            checks.add(values)
            array.add(values)
        if checks is None or not array.rows:
            raise DataError(f"{where} holds no slot; give a file with values")
        marks.finish()
        checks.finish()
        array.finish()
        return array.rows


def _stored_card(card: ImportCard) -> ImportCard:
    return imported_card(card, card.empty_cells)


def _stored(text: str, card: ImportCard, source: Source, where: Path) -> tuple[str, ImportCard]:
    """What a card says of the array as it was written: the user's own text where that holds of it."""
    same = _stored_card(source.card) == card
    text, stored = _with_start(text, card, source.start, where)
    if same:
        return text, stored
    stored = _stored_card(source.card).model_copy(update={"start": stored.start})
    asked = "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())
    return f"{_card_text(stored)}\n# Imported from {where.name} with this card:\n{asked}", stored


def _card_text(card: ImportCard) -> str:
    """A card as TOML, with lists of numbers in one line."""
    facts = card.model_dump(exclude_defaults=True)
    first = {key: facts.pop(key) for key in ("name", "interval", "grid")}
    return NUMBERS.sub(lambda lines: f"[{' '.join(lines[1].split()).rstrip(',')}]", tomli_w.dumps(first | facts))


def _with_start(text: str, card: ImportCard, start: datetime | None, file: Path) -> tuple[str, ImportCard]:
    """The card with the start that the CSV states, and its text with that line added."""
    if start is None or start == card.start:
        return text, card
    if card.start is not None:
        raise DataError(f"{file} starts at {start}, but the card says {card.start}; correct one of them")
    try:
        dated = ImportCard.model_validate({**card.model_dump(), "start": start})
    except ValidationError as error:
        why = error.errors()[0]["msg"].removeprefix("Value error, ")
        zone = (
            f', or say time_zone = "UTC" if {card.time_zone} is no whole number of steps from it'
            if card.time_zone
            else ""
        )
        raise DataError(f"{file} cannot be used: {why}; correct the file or the card{zone}") from error
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
