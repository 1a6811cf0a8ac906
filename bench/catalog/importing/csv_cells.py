"""The cells of a CSV, whose rows are slots or lines of a long table: which rows count, numbers, missing values."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.csv_header import GROUPED, NUMBER, Columns, more_than_a_number
from bench.catalog.importing.csv_lines import CsvLines, Line
from bench.catalog.missing import NAN
from bench.errors import DataError
from bench.plain_text import counted, one_line

if TYPE_CHECKING:
    import pandas as pd

THOUSANDS: Final = r"[+-]?[1-9]\d{0,2}(?:[.,]\d{3})+"


class CsvCells:
    """Reads the cells of one file, a block of lines at a time.

    Attributes:
        card: The user's.
    """

    def __init__(self, path: Path, card: ImportCard) -> None:
        self.card, self._path = card, path
        self._decimal: str = card.decimal
        self._left_out = Counter[str]()
        self._marked = Counter({mark: 0 for mark in card.missing if isinstance(mark, str)})

    @property
    def notes(self) -> list[str]:
        """Sentences on what was left out and which texts were taken as missing; whole once all was read."""
        return [*self._left_out_notes(), self._marked_note()]

    def rows(self, lines: CsvLines, columns: Columns) -> Generator[Line]:
        """The lines below the header, each with as many cells as the others.

        Raises:
            DataError: If one has more or fewer, or a blank line may be a slot.
        """
        rows, count, spaced = iter(lines.rows), 0, False
        if columns.header:
            next(rows)
        for line in rows:
            if columns.header and line.text == columns.header:
                self._left_out["a header that comes again"] += 1
            elif columns.times and lines.is_empty(line.text):
                self._left_out["a row of empty cells"] += 1
            else:
                self._check_width(line, lines, columns)
                count += 1
                spaced = line.after_blank if count == 2 else spaced
                if count > 1 and line.after_blank != spaced and not columns.times:
                    self._fail(
                        f"has blank lines, such as that before line {line.number}, which may be slots without values; "
                        "remove them, or write separators between empty cells there"
                    )
                yield line

    def _check_width(self, line: Line, lines: CsvLines, columns: Columns) -> None:
        width = lines.width(line.text)
        if width != columns.width:
            self._fail(
                f"has {counted(width, 'cell')} in line {line.number} where the rows before have "
                f"{columns.width}; write one cell for each column, and leave it empty where a value is missing"
            )
        if columns.empty and any(lines.cells(line)[-columns.empty :]):
            self._fail(f"has a value in line {line.number} in a column without a name; give that column a name")

    def numbers(self, block: Sequence[Line], lines: CsvLines, columns: Columns) -> pd.DataFrame:
        """The columns of values, NaN where the card names a text as missing.

        Raises:
            DataError: If a cell is no number, or may be one of two.
        """
        decimal = self._decimal_of(block, lines, columns)
        try:
            try:
                frame = self._read(block, lines, columns.cells, np.float64, decimal)
            except ValueError:  # spaces of any kind around numbers or marks
                block = [_without_spaces(line, lines.separator) for line in block]
                frame = self._read(block, lines, columns.cells, np.float64, decimal)
        except ValueError as error:  # pandas' own errors are ValueErrors
            self._refuse_cell(block, lines, columns, decimal, error)
        self._count_marks(block, lines, frame)
        return frame

    def texts(self, block: Sequence[Line], lines: CsvLines, wanted: Sequence[int]) -> pd.DataFrame:
        """Columns as they are written, in the order of ``wanted``."""
        frame = self._read(block, lines, wanted, str)
        for column in wanted:
            frame[column] = frame[column].str.strip()
        return frame

    def _count_marks(self, block: Sequence[Line], lines: CsvLines, frame: pd.DataFrame) -> None:
        """Count how often each text that the card names was found."""
        absent = frame.isna()
        holed = [int(column) for column in frame.columns if absent[column].any()]
        if not holed:
            return
        texts = self._read(block, lines, holed, str).to_numpy()[absent[holed].to_numpy()]
        for text, count in Counter(map(str.strip, texts.tolist())).items():
            self._marked[text if text in self._marked else "nan"] += count

    def _read(
        self, block: Sequence[Line], lines: CsvLines, wanted: Sequence[int], kind: type, decimal: str = "."
    ) -> pd.DataFrame:
        """Some columns of a block, in the order of ``wanted``."""
        import pandas as pd

        return pd.read_csv(
            io.StringIO("\n".join(line.text for line in block)),
            sep=lines.separator,
            header=None,
            names=range(lines.width(block[0].text)),
            usecols=sorted(wanted),
            index_col=False,
            dtype=kind,
            na_values=[] if kind is str else self._marks(),
            keep_default_na=False,
            decimal=decimal,
            skipinitialspace=True,
            skip_blank_lines=False,
        )[list(wanted)]

    def _marks(self) -> list[str]:
        """The texts that the card names as missing, in every spelling."""
        texts = {mark for mark in self.card.missing if isinstance(mark, str)}
        spelt = {way(word) for word in NAN for way in (str.lower, str.upper, str.title)} | {"NaN", "<NA>"}
        return sorted(texts | (spelt if "nan" in texts else set()))

    def _decimal_of(self, block: Sequence[Line], lines: CsvLines, columns: Columns) -> str:
        """The sign in decimals: the comma needs another separator, and evidence that it is no mark of thousands."""
        if self._decimal or lines.separator == ",":
            return self._decimal or "."
        cells = [cells[n] for cells in map(lines.cells, block) for n in columns.cells]
        sign = "," if any("," in cell for cell in cells) else "."
        marked = [cell for cell in cells if sign in cell]
        if marked and (sign == "," or lines.separator == ";") and all(re.fullmatch(THOUSANDS, cell) for cell in marked):
            self._fail(
                f"has numbers such as {marked[0]}, which may be {marked[0].replace(sign, '')} or "
                f"{marked[0].replace(sign, 'point')}".replace("point", ".")
                + f'; say decimal = "{sign}" in the card if the sign begins decimals, or write thousands without a sign'
            )
        self._decimal = sign if marked else ""
        return sign

    def _refuse_cell(
        self, block: Sequence[Line], lines: CsvLines, columns: Columns, decimal: str, error: ValueError
    ) -> NoReturn:
        """Say which cell is no number, and what to do."""
        marks, number = set(self._marks()), re.compile(NUMBER.replace("@", re.escape(decimal)))
        wrong = [
            (line, column, cell)
            for line in block
            for cells in [lines.cells(line)]
            for column, cell in zip(columns.cells, (cells[n] for n in columns.cells), strict=True)
            if cell not in marks and not number.fullmatch(cell)
        ]
        if not wrong:
            self._fail(f"cannot be read as CSV: {one_line(error)}; write one slot per row, with commas")
        line, column, cell = wrong[0]
        same = sum(other == cell for _, _, other in wrong)
        name = columns.names[columns.cells.index(column)] if columns.names else column + 1
        times = f", and {same} times in all," if same > 1 else ""
        self._fail(f"{_shown(cell)} in line {line.number}, column '{name}'{times} {self._remedy(cell, decimal)}")

    def _remedy(self, cell: str, decimal: str) -> str:
        if GROUPED.fullmatch(cell) or re.fullmatch(rf"{THOUSANDS}([.,]\d+)?", cell):
            return "which is no number; write numbers without a sign between thousands, and 1.5 for one and a half"
        if remedy := more_than_a_number(cell):
            return remedy
        if re.search(r"\d[.,]\d", cell):
            if decimal == "." and "," in cell:
                return "which has a decimal comma; separate cells with semicolons, or write a point"
            return "where other numbers have a comma; write all alike" if "." in cell else "which is no number"
        mark = "nan" if cell.lower() in NAN else cell
        named = ", ".join([*(f'"{m}"' if isinstance(m, str) else f"{m:g}" for m in self.card.missing), f'"{mark}"'])
        return f"which is no number; say missing = [{named}] in the card if it marks a missing value, or mend the file"

    def _marked_note(self) -> str:
        marks = ", ".join(f"{mark or 'empty'}: {count}" for mark, count in self._marked.items())
        return f"texts that mark missing values, and how many were found: {marks}" if marks else ""

    def _left_out_notes(self) -> list[str]:
        return [
            f"{what} was left out" + (f" {count} times" if count > 1 else "") for what, count in self._left_out.items()
        ]

    def _fail(self, what: str) -> NoReturn:
        raise DataError(f"{self._path} {what}")


def _without_spaces(line: Line, separator: str) -> Line:
    cells = [cell.strip() for cell in line.text.split(separator)]
    return Line(line.number, separator.join(cells), line.after_blank)


def _shown(cell: str) -> str:
    return f"has '{cell[:40]}'" if cell else "has an empty cell"
