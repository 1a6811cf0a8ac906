"""Times that lie beside an array: datetimes, texts, numbers since 1970, or a date and the slot of the day."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.csv_lines import open_text
from bench.catalog.importing.time_forms import SINCE_1970, is_time
from bench.clock import MONTH, step_in_words
from bench.errors import DataError
from bench.plain_files import check_plain
from bench.plain_text import one_line
from bench.types import MINUTES_PER_DAY

PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
LENGTHS: Final = {MONTH: (28 * MINUTES_PER_DAY, 31 * MINUTES_PER_DAY)}  # of steps that differ, in minutes
DATE_AND_SLOT: Final = re.compile(r"\d{10}")  # YYYYMMDD, and the slot of the day from 01 on


def stamps(raw: NDArray[Any], card: ImportCard, where: Path | str, name: str) -> NDArray[Any]:
    """Times ``[T]`` as texts or datetimes.

    Whole numbers are seconds since 1970, or thousandths, millionths or billionths of them: that of which the card's
    interval is the commonest step, as texts too. Other texts of ten digits are a date and a slot of the day, which
    counts from 00, such as an hour, or from 01, as in TaxiBJ.

    Raises:
        DataError: If they are of no such form.
    """
    values = np.asarray(raw)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"{where} has times '{name}' of shape {values.shape}; wanted one for each slot")
    if values.dtype.kind in "SO":
        values = np.array([text.decode() if isinstance(text, bytes) else str(text) for text in values.tolist()])
    if values.dtype.kind in "TU":
        return _of_texts(values.astype(np.str_), card, where, name)
    if values.dtype.kind == "M":
        return values
    if values.dtype.kind in "iuf":
        return _since_1970(values, card, where, name)
    raise DataError(f"{where} has times '{name}' of {values.dtype}; write them as datetimes or ISO texts")


def stamps_of_file(path: Path, card: ImportCard) -> NDArray[Any]:
    """Times of a file of their own: an ``.npy``, or a text with one time in each line, with or without a header.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        check_plain(path)
        if path.suffix.lower() == ".npy":
            return stamps(np.load(path, allow_pickle=False), card, path, path.name)
        with open_text(path) as (text, _):
            lines = [line.strip().rstrip(",").strip('"') for line in text.read().splitlines()]
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"the file of times {path} cannot be read: {one_line(error)}; write a text with one time in each line, or "
            "an .npy of datetimes"
        ) from error
    lines = [line for line in lines if line]
    if lines and (not any(map(str.isdigit, lines[0])) or (is_time(lines[-1]) and not is_time(lines[0]))):
        del lines[0]
    if several := [line for line in lines if re.search(r"[,;\t]", line) and not card.time_format]:
        raise DataError(f"the file of times {path} has '{several[0]}' in a line; write one time in each line")
    return stamps(np.array(lines, dtype=np.str_), card, path, path.name)


def looks_like_times(shape: tuple[int, ...], dtype: np.dtype[Any], slots: int) -> bool:
    """Whether an array beside another holds datetimes or texts, one for each slot."""
    return shape in ((slots,), (slots, 1)) and dtype.kind in "MSUOT"


def _of_texts(texts: NDArray[np.str_], card: ImportCard, where: Path | str, name: str) -> NDArray[Any]:
    """Texts of digits alone as times; others as they are."""
    if len(texts) and not card.time_format:
        if all(map(SINCE_1970.fullmatch, texts.tolist())):
            return _since_1970(texts.astype(np.int64), card, where, name)
        if card.interval <= MINUTES_PER_DAY and all(map(DATE_AND_SLOT.fullmatch, texts.tolist())):
            return _dates_and_slots(texts, card, where, name)
    return texts


def _since_1970(numbers: NDArray[Any], card: ImportCard, where: Path | str, name: str) -> NDArray[Any]:
    steps = np.diff(numbers)
    common = float(np.median(steps)) if steps.size else 0.0
    shortest, longest = LENGTHS.get(card.interval, (card.interval, card.interval))
    units = [unit for unit, factor in PER_SECOND.items() if shortest <= common / (60 * factor) <= longest]
    if not units or (numbers != np.rint(numbers)).any():
        raise DataError(
            f"{where} has numbers as times '{name}', with a step of {common:g}, which is "
            f"{step_in_words(card.interval)} in no unit; write them as datetimes or ISO texts"
        )
    return numbers.astype(np.int64).astype(f"datetime64[{units[0]}]")


def _dates_and_slots(texts: NDArray[Any], card: ImportCard, where: Path | str, name: str) -> NDArray[Any]:
    slots = np.array([int(text[8:]) for text in texts.tolist()])
    last = MINUTES_PER_DAY // card.interval
    first = 0 if slots.min() == 0 else 1
    if slots.max() > last - 1 + first or (first and slots.max() < last):
        raise DataError(
            f"{where} has times '{name}' such as {texts[0]}, whose last two digits go from {slots.min()} to "
            f"{slots.max()}; wanted the slot of the day from 00 to {last - 1} or from 01 to {last}, or ISO times"
        )
    try:
        days = np.array([f"{text[:4]}-{text[4:6]}-{text[6:8]}" for text in texts.tolist()], dtype="datetime64[m]")
    except ValueError as error:
        raise DataError(f"{where} has times '{name}' with a date that is none: {one_line(error)}") from error
    return days + (slots - first) * np.timedelta64(card.interval, "m")
