"""The lines of a CSV: what separates its cells, and one line for each row, whatever program wrote them."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final, NamedTuple

from bench.archives import Unpacked
from bench.errors import DataError
from bench.plain_files import open_plain
from bench.plain_text import one_line

HEAD: Final = 20  # lines that tell what a file is like
LONGEST_LINE: Final = 2**26
SIGNS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
GZIP: Final = b"\x1f\x8b"
SHEETS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # begin .xlsx and .ods, which are archives, and .xls
UNSEEN: Final = "\u200b\u200c\u200d\u2060\ufeff"  # spaces of no width
UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """A row as it is written, with cells that are quoted over several lines in one.

    Attributes:
        number: Of its first line in the file, from 1.
        after_blank: Whether blank lines stand before it.
    """

    number: int
    text: str
    after_blank: bool = False


class CsvLines:
    """The lines of a file that are neither blank nor comments.

    Attributes:
        separator: What stands between the cells of ``rows``.
        head: The first lines.
    """

    def __init__(self, path: Path, lines: Iterator[Line]) -> None:
        head = list(islice(lines, HEAD))
        stated = head and re.fullmatch(r"sep=(.)", head[0].text)  # Excel's
        head = head[1:] if stated else head
        comment = head.pop(0) if head and head[0].text.startswith("#") else None
        separator = stated[1] if stated else _separator([line.text for line in head], path)
        as_cells = _with_tabs if separator == " " else _as_it_is
        self.separator = "\t" if separator == " " else separator
        self.head = list(map(as_cells, head))
        if comment and head:  # a header as numpy writes it, or a remark
            names = as_cells(Line(comment.number, comment.text.lstrip("# ")))
            self.head[:0] = [names] if self.width(names.text) == self.width(self.head[0].text) else []
        self.rows: Iterator[Line] = chain(self.head, map(as_cells, lines))

    def cells(self, line: Line) -> list[str]:
        """The cells of a line, without quotes, outer spaces and signs that nobody sees."""
        cells = next(csv.reader([line.text], delimiter=self.separator, skipinitialspace=True))
        return [cell.strip().strip(UNSEEN) for cell in cells]

    def width(self, text: str) -> int:
        """How many cells a line has."""
        if '"' in text:
            return len(next(csv.reader([text], delimiter=self.separator, skipinitialspace=True)))
        return text.count(self.separator) + 1

    def is_empty(self, text: str) -> bool:
        """Whether all cells of a line are empty."""
        return not text.strip(f'{self.separator}" ')


@contextmanager
def csv_lines(path: Path, on_bytes: Callable[[int], None]) -> Iterator[tuple[CsvLines, Callable[[], None]]]:
    """Open a CSV, which may be packed by gzip, and be told how to say how much of it was read.

    Raises:
        DataError: If it is no text, or its cells are separated in two ways.
    """
    try:
        with open_text(path) as (text, tell):
            yield CsvLines(path, _lines(text, path)), lambda: on_bytes(tell())
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not written in UTF-8 ({one_line(error)}); save it as 'CSV UTF-8'") from error
    except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as CSV: {one_line(error)}; write one slot per row, with commas"
        ) from error


@contextmanager
def open_text(path: Path) -> Iterator[tuple[IO[str], Callable[[], int]]]:
    """Open a text in UTF-8 or UTF-16, which may be packed by gzip, and learn how to ask how many bytes were read.

    Raises:
        OSError: If it cannot be opened.
    """
    with open_plain(path) as file:
        if file.peek(4)[:4] in SHEETS:
            raise OSError("it is a spreadsheet, or another archive; save the sheet as CSV")
        packed = file.peek(2)[:2] == GZIP
        stream = io.BufferedReader(Unpacked(file)) if packed else file
        encoding = "utf-16" if stream.peek(2)[:2] in UTF16 else "utf-8-sig"
        with io.TextIOWrapper(stream, encoding=encoding, newline=None) as text:
            yield text, file.tell


def _lines(text: IO[str], path: Path) -> Generator[Line]:
    """Each row as one line; a quote that is not closed takes the next line in."""
    number, blank, begun, first = 0, False, "", 0
    while physical := text.readline(LONGEST_LINE):
        number += 1
        if CONTROL.search(physical) or len(physical) == LONGEST_LINE:
            raise DataError(
                f"{path} is no text: line {number} holds control signs or never ends; save it as 'CSV UTF-8'"
            )
        begun, first = begun + physical, first or number
        if begun.count('"') % 2:
            if number - first > HEAD:
                raise DataError(f"{path} opens a quote in line {first} and does not close it; correct that line")
            continue
        whole, begun = begun.rstrip("\r\n").replace("\n", " "), ""
        if not whole.strip(" \ufeff"):
            blank, first = True, 0
        elif whole.startswith("#") and number > 1:
            first = 0
        else:
            yield Line(first, whole, blank)
            blank, first = False, 0
    if begun:
        raise DataError(f"{path} opens a quote in line {first} and does not close it; correct that line")


def _separator(lines: Sequence[str], path: Path) -> str:
    """What separates the cells: a sign that no number holds wherever it stands in all lines, else the comma."""
    bare = [re.sub(r'"[^"]*"', '"', line) for line in lines]
    for sign in (";", "\t", "|"):
        holds = [sign in line for line in bare]
        if all(holds) and holds:
            return sign
        if sign != "|" and any(holds[1:]):
            without = holds.index(False)
            raise DataError(
                f"{path} has {SIGNS[sign]} between its cells in some lines and none in others, such as "
                f"'{lines[without][:40]}'; separate all cells alike"
            )
    if any("," in line for line in bare) or not all(re.search(r"\S[ ]+\S", line) for line in bare):
        return ","
    return " "


def _as_it_is(line: Line) -> Line:
    return line


def _with_tabs(line: Line) -> Line:
    """A line whose cells are separated by spaces."""
    cells = next(csv.reader([line.text.strip()], delimiter=" ", skipinitialspace=True))
    return Line(line.number, "\t".join(cells), line.after_blank)
