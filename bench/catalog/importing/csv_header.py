"""What the columns of a CSV are, by its header and its first rows: times, values, numbering, or nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.csv_lines import SIGNS, CsvLines
from bench.catalog.importing.time_forms import DIGITS, LIKE, SINCE_1970, is_time
from bench.catalog.missing import NAN
from bench.errors import DataError
from bench.plain_text import counted
from bench.types import MINUTES_PER_DAY

NUMBER: Final = r"[+-]?([0-9]+@?[0-9]*|@[0-9]+)([eE][+-]?[0-9]+)?|[+-]?[Ii][Nn][Ff](inity)?"
"""A number, where ``@`` is the sign in decimals."""

GROUPED: Final = re.compile(r"[+-]?\d{1,3}(?:[\s'\u2019]\d{3})+(?:[.,]\d+)?")
"""A number with blanks or apostrophes between its thousands."""

TIMES: Final = ("time", "times", "timestamp", "datetime", "date_time", "date")
NUMBERING: Final = ("", "index", "unnamed: 0")
CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?")
CLOCKS: Final = ("hour", "time", "time_of_day", "hour_of_day", "hr", "clock")
DASHES: Final = re.compile(r"[-=+:| ]*")
MEASURE: Final = re.compile(r"[^\w\s.,+#-]+\s*[+-]?\d[\d.,]*|[^\w\s.,+#-]*\s*[+-]?\d[\d.,]*\s*[^\d.,\s#][^\d]*", re.S)
"""A number with something before or behind it: a unit, a currency, a sign of percent."""

DAY: Final = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")


@dataclass(frozen=True)
class Columns:
    """What each column is.

    Attributes:
        header: The header's text; empty if there is none.
        width: How many cells a row has.
        names: Of the columns that hold values; empty without a header.
        times: Numbers of the columns of times: none, one, or a date and a time of day.
        cells: Numbers of the columns that hold values.
        numbering: The number of a column that counts the rows, if there is one.
        empty: How many columns at the end are empty, since a separator ends each row.
        notes: What was decided, in sentences.
        time_names: What the columns of times are called; empty without a header.
    """

    header: str
    width: int
    names: list[str]
    times: list[int]
    cells: list[int]
    numbering: int | None
    empty: int
    notes: list[str] = field(default_factory=list)
    time_names: list[str] = field(default_factory=list)


def columns_of(lines: CsvLines, card: ImportCard, path: Path) -> Columns:
    """What the columns of a file are.

    Raises:
        DataError: If it has no rows, or its header does not fit them.
    """
    if not lines.head:
        raise DataError(f"{path} cannot be read as CSV: it is empty; write one slot per row, with commas")
    first, *others = map(lines.cells, lines.head)
    if not _has_header(card, first, others, path):
        return _typed([], first, lines, card, path)
    if not others:
        raise DataError(f"{path} holds a header and no rows; write one slot per row below it")
    return _typed(_fitting(first, others[0], lines, path), others[0], lines, card, path)


def names_of(lines: CsvLines, path: Path) -> list[str]:
    """The names in the header of a long table, empty where a column has none.

    Raises:
        DataError: If it has no lines, or its header does not fit them.
    """
    if not lines.head:
        raise DataError(f"{path} cannot be read as CSV: it is empty; write one slot per row, with commas")
    first, *others = map(lines.cells, lines.head[:2])
    return _fitting(first, others[0], lines, path) if others else first


def columns_named(names: Sequence[str], values: Sequence[str], texts: Sequence[str], lines: CsvLines) -> Columns:
    """The columns of a long table with these names, of which some are values, and some texts, its times among them."""
    row = lines.cells(lines.head[1]) if len(lines.head) > 1 else []
    return Columns(
        header=lines.head[0].text,
        width=len(names),
        names=[*values],
        times=[names.index(name) for name in texts],
        cells=[names.index(name) for name in values],
        numbering=None,
        empty=_empty_at_the_end([*names], row) if row else 0,
    )


def _fitting(header: list[str], row: list[str], lines: CsvLines, path: Path) -> list[str]:
    """The header with as many names as a row has cells."""
    if all(is_time(name) for name in header[1:]) and len(header) > 2:
        raise DataError(
            f"{path} has times as the names of its columns, such as '{header[1]}'; write one slot per row and one cell "
            "per column, so turn the table around"
        )
    more = len(row) - len(header)
    if more == 1:  # row names of R, or a separator behind each row
        ended = all(not lines.cells(line)[-1] for line in lines.head[1:])
        behind = ended and (len(lines.head) > 2 or _is_number(row[0]) or header[0].lower() in TIMES)
        return [*header, ""] if behind else ["", *header]
    if more == -1 and not header[-1]:
        return header[:-1]
    if more:
        raise DataError(
            f"{path} has {counted(len(header), 'cell')} in line {lines.head[0].number}, '{_short(header)}', and "
            f"{len(row)} in line {lines.head[1].number}; give each column a name in one line, and remove lines above it"
        )
    return header


def _typed(header: list[str], row: list[str], lines: CsvLines, card: ImportCard, path: Path) -> Columns:
    empty = _empty_at_the_end(header, row)
    inner = range(len(row) - empty)
    named = dict(enumerate(header))
    counts = header and header[0].lower() in NUMBERING and row[0].isdecimal() and not DIGITS.fullmatch(row[0])
    numbering = 0 if counts else None
    skipped = _numbers_of(card.skip_columns, header, "skip_columns", path)
    kept = [n for n in inner if n != numbering and n not in skipped]
    key = "time_columns" if card.time_columns else "time under [dims]"
    stated = card.time_columns or (card.dims.time,) * bool(card.dims.time)
    times = _numbers_of(stated, header, key, path) or _times(header, row, kept, card, path)
    values = [n for n in kept if n not in times]
    _check_parts_of_times(times, [header[n] for n in kept if header], path)
    line = lines.head[1 if header else 0].number
    if header and not stated:
        _check_clock_beside(times, values, header, row, card, path)
    _check_first_row(header, row, values, card, line, path)
    notes = []
    if len(times) == 2:
        notes.append(
            f"times are those of the columns {_named(times[0], header)} and {_named(times[1], header)} together"
        )
    if numbering is not None:
        notes.append(f"column {_named(numbering, header)} counts the rows and is left out")
    if lines.separator != ",":
        notes.append(f"cells are separated by {SIGNS.get(lines.separator, repr(lines.separator))}")
    names, time_names = ([named[n] for n in columns] if header else [] for columns in (values, times))
    return Columns(
        lines.head[0].text if header else "", len(row), names, times, values, numbering, empty, notes, time_names
    )


def _times(header: list[str], row: list[str], kept: Sequence[int], card: ImportCard, path: Path) -> list[int]:
    """The columns of times, as far as names and the first row tell."""
    columns = [n for n in kept if is_time(row[n])]
    if len(columns) == 1:
        beside = columns[0] + 1
        with_clock = beside in kept and CLOCK.fullmatch(row[beside]) and DAY.fullmatch(row[columns[0]])
        return [columns[0], beside] if with_clock else columns
    if len(columns) > 1:
        first, second = (_named(n, header) for n in columns[:2])
        if not header:
            raise DataError(f"{path} has times in the columns {first} and {second}; remove one, or write a header")
        raise DataError(
            f"{path} has times in the columns {first} and {second}; say which count, such as time_columns = [{first}], "
            f"and skip_columns = [{second}] in the card"
        )
    nameless = [n for n in kept[:1] if header and not header[n] and DIGITS.fullmatch(row[n])]
    since_1970 = [n for n in kept[:1] if header and not re.search(r"\d", header[n]) and SINCE_1970.fullmatch(row[n])]
    by_name = [n for n in kept if header and header[n].lower() in TIMES] or nameless or since_1970
    return by_name[:1] or [n for n in kept if card.time_format and not _like_a_number(row[n])][:1]


def _check_parts_of_times(times: Sequence[int], names: Sequence[str], path: Path) -> None:
    parts = [name for name in names if name.lower() in ("year", "month", "day", "hour", "minute")]
    if not times and len(parts) > 2:
        raise DataError(
            f"{path} has times in the columns {', '.join(parts)}; join them into one column, with times such as {LIKE}"
        )


def _check_clock_beside(
    times: Sequence[int], values: Sequence[int], header: list[str], row: list[str], card: ImportCard, path: Path
) -> None:
    """Refuse dates alone, where a step is shorter than a day and another column may have the time of day."""
    clocks = [n for n in values if header[n].lower() in CLOCKS and header[n] not in card.channels]
    if len(times) == 1 and clocks and card.interval < MINUTES_PER_DAY and DAY.fullmatch(row[times[0]]):
        date, clock = _named(times[0], header), _named(clocks[0], header)
        raise DataError(
            f"{path} has dates in the column {date}, and may have the times of day in {clock}; say time_columns = "
            f"[{date}, {clock}] in the card, or skip_columns = [{clock}] if it does not count"
        )


def _check_first_row(
    header: list[str], row: list[str], values: Sequence[int], card: ImportCard, line: int, path: Path
) -> None:
    """Refuse a second header, and a column of texts; other wrong cells are told where they are read."""
    if all(map(DASHES.fullmatch, row)) and any(row):
        raise DataError(f"{path} has dashes alone in line {line}; remove that line")
    filled = [row[n] for n in values if row[n]]
    numbers = [cell for cell in filled if _may_be_number(cell) or cell in card.missing]
    named = len(filled) > 1 and not numbers and not any(map(is_time, row))
    known = [n for n in values if re.search(r"\d", row[n]) or _is_number(row[n]) or row[n] in card.missing]
    if header and values and (named or not known):
        raise DataError(
            f"{path} holds no number in line {line}, '{_short(row)}'; if that is a second line of names or units, "
            "remove it, or join two lines of names into one"
        )
    for n in values:
        if row[n] in card.missing:
            continue
        if remedy := more_than_a_number(row[n]):
            raise DataError(f"{path} has '{row[n][:40]}' in line {line}, column {_named(n, header)}, {remedy}")
        if not _may_be_number(row[n]):
            skipped = f"skip_columns = [{_named(n, header)}]" if header and header[n] else "remove the column"
            raise DataError(
                f"{path} has '{row[n][:40]}' in line {line}, column {_named(n, header)}, which is neither a number nor "
                f'a time such as {LIKE}; say in the card missing = ["{row[n][:40]}"] if that marks a missing value, '
                f"{skipped} if it does not count, or time_format if it is a time"
            )


def more_than_a_number(cell: str) -> str:
    """What to do about a number with a sign or a unit, such as ``3 km`` or ``< 0.5``; empty if a cell is none."""
    if "\N{MINUS SIGN}" in cell and _is_number(cell.replace("\N{MINUS SIGN}", "-")):
        return "whose minus is a sign of its own; write it as -"
    if len(cell) > 1 and cell[0] == cell[-1] == "'":
        return "which stands in single quotes; use double ones, or none"
    if MEASURE.fullmatch(cell):
        return "which is more than a number; write the number alone, and its unit as unit in the card"
    return ""


def _may_be_number(cell: str) -> bool:
    return bool(_is_number(cell) or _like_a_number(cell) or GROUPED.fullmatch(cell) or more_than_a_number(cell))


def _numbers_of(wanted: Sequence[str], header: list[str], key: str, path: Path) -> list[int]:
    for name in wanted:
        if name not in header:
            raise DataError(
                f"{path} has no column '{name}', which {key} names; its columns are {_short(header) or 'without names'}"
            )
    return [header.index(name) for name in wanted]


def _empty_at_the_end(header: list[str], row: list[str]) -> int:
    """How many columns at the end have neither a name nor a value, though a separator stands before them."""
    if not header:
        return 0
    count = 0
    while count < len(row) - 1 and not header[-1 - count] and not row[-1 - count]:
        count += 1
    return count


def _has_header(card: ImportCard, first: list[str], others: Sequence[list[str]], path: Path) -> bool:
    """Whether the first line names the columns.

    Raises:
        DataError: If that is left open.
    """
    if card.header is not None:
        return card.header
    corner, *rest = first
    numbers = [_is_number(cell) or _is_decimal(cell) for cell in first]
    if not all(numbers[1:]) or not (numbers[0] or is_time(corner)):
        return not (is_time(corner) and len(first) > 1 and CLOCK.fullmatch(first[1]) and all(numbers[2:]))
    below = others[0] if others else []
    if len(below) == len(first) + 1 or (not corner and rest and below and is_time(below[0])):
        return True
    names = [cell for cell in first if cell]
    whole = all(map(str.isdecimal, names)) and len({*names}) == len(names) and not is_time(corner)
    counted = whole and [int(name) for name in names] in ([*range(len(names))], [*range(1, len(names) + 1)])
    if not corner and counted and len(names) == len(first) - 1 > 1:
        return True
    if whole and (len(rest) > 1 or (rest and counted)):
        raise DataError(
            f"{path} begins with whole numbers that are all different: these may be names of columns or the first "
            "slot; say header = true or header = false in the card"
        )
    return False


def _is_number(cell: str) -> bool:
    return not cell or cell.lower() in NAN or bool(re.fullmatch(NUMBER.replace("@", "[.]"), cell))


def _is_decimal(cell: str) -> bool:
    """Whether a cell is a number with a comma."""
    return bool(re.fullmatch(r"[+-]?\d*,\d+", cell))


def _like_a_number(cell: str) -> bool:
    """Whether a cell may be meant as a number, such as ``1,234.5`` or ``50 %``."""
    return bool(re.search(r"^\W*\d[\d.,]*\W*$", cell))


def _named(number: int, header: list[str]) -> str:
    return f'"{header[number]}"' if header and header[number] else f"number {number + 1}"


def _short(row: list[str]) -> str:
    text = ", ".join(row)
    return text if len(text) < 60 else f"{text[:57]}..."
