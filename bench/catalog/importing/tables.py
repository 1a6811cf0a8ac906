"""Tables with named columns, read a piece at a time: texts, LibCity's atomic files, Parquet and data frames."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.csv_cells import CsvCells
from bench.catalog.importing.csv_header import columns_named, names_of
from bench.catalog.importing.csv_lines import CsvLines, Line, csv_lines
from bench.catalog.importing.nodes import named
from bench.errors import DataError, require
from bench.plain_text import one_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet as pq

LINES: Final = 2**16  # that are read at once
LIBCITY: Final = (".grid", ".dyna")
INDEX: Final = "index"  # as pandas calls one without a name
UNREADABLE: Final = (OSError, ValueError)  # pyarrow's own errors are ValueErrors


class TextTable:
    """A text with a header: CSV, or values apart by tabs, semicolons, bars or spaces; it may be packed by gzip.

    Attributes:
        where: The file.
        notes: Sentences on what was decided in the last reading, once all was read.
    """

    def __init__(self, where: Path, card: ImportCard) -> None:
        self.where, self.notes = where, list[str]()
        self._card = card

    @cached_property
    def columns(self) -> Sequence[str]:
        """The names in the header, empty where a column has none.

        Raises:
            DataError: If it cannot be read, or has no header that fits its lines.
        """
        with csv_lines(self.where, lambda _: None) as (lines, _):
            return names_of(lines, self.where)

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:
        """As ``Table`` says.

        Raises:
            DataError: If it cannot be read, or a cell among the values is no number.
        """
        size = max(1, self.where.stat().st_size)
        values, read = [name for name in columns if name not in texts], [0]
        cells = CsvCells(self.where, self._card)
        with csv_lines(self.where, read.append) as (lines, tell):
            layout = columns_named(self.columns, values, texts, lines)
            rows = cells.rows(lines, layout)
            while block := list(islice(rows, LINES)):
                self._check_states(block, lines, cells)
                frame = cells.texts(block, lines, layout.times).set_axis([*texts], axis=1)
                if values:
                    numbers = cells.numbers(block, lines, layout)
                    frame[values] = numbers.to_numpy()
                tell()
                yield self._local(frame), read.pop() / size
        self.notes = cells.notes

    def _check_states(self, block: Sequence[Line], lines: CsvLines, cells: CsvCells) -> None:
        """LibCity's lines are states of cells, or steps of trajectories, which are no values."""
        if self.where.suffix.lower() not in LIBCITY or "type" not in self.columns:
            return
        kinds = cells.texts(block, lines, [self.columns.index("type")])
        if others := sorted({*kinds.to_numpy().flat} - {"state", ""}):
            raise DataError(
                f"{self.where} has lines of type '{others[0]}', which are no values of cells; give a file of type "
                "'state', such as one that counts them in each cell and step"
            )

    def _local(self, frame: pd.DataFrame) -> pd.DataFrame:
        """LibCity writes a Z behind times that are local."""
        if self.where.suffix.lower() not in LIBCITY:
            return frame
        times = [name for name in frame.columns if name.lower() == "time"]
        return frame.assign(**{name: frame[name].str.removesuffix("Z") for name in times})


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file."""

    where: Path
    notes: Sequence[str] = ()

    @cached_property
    def _file(self) -> pq.ParquetFile:
        require("pyarrow", "formats", f"{self.where}, a Parquet file,")
        import pyarrow.parquet as pq

        with _told(self.where, "Parquet"):
            return pq.ParquetFile(self.where)

    @cached_property
    def _index(self) -> range | None:
        """What pandas has for an index beside the columns, unless that counts the rows or is none of so many."""
        with _told(self.where, "Parquet"):
            indices = (self._file.schema_arrow.pandas_metadata or {}).get("index_columns", [])
        for index in indices:
            parts: list[Any] = (
                [index.get(name) for name in ("start", "stop", "step")] if isinstance(index, dict) else []
            )
            if parts and all(isinstance(part, int) for part in parts) and parts[2]:
                steps = range(*parts)
                other = (steps.start, steps.step) != (0, 1) and len(steps) == self._file.metadata.num_rows
                return steps if other else None
        return None

    @property
    def columns(self) -> Sequence[str]:
        names = [str(name) for name in self._file.schema_arrow.names]
        return names if self._index is None else [INDEX, *names]

    @property
    def dtypes(self) -> Sequence[Any]:
        """The type of each column, as pandas has it."""
        dtypes = list(self._file.schema_arrow.empty_table().to_pandas(ignore_metadata=True).dtypes)
        return dtypes if self._index is None else [np.dtype(np.int64), *dtypes]

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:  # noqa: ARG002
        """As ``Table`` says; what has a type keeps it.

        Raises:
            DataError: If it cannot be read.
        """
        done, lines = 0, max(1, self._file.metadata.num_rows)
        with _told(self.where, "Parquet"):
            stored = [name for name in columns if self._index is None or name != INDEX]
            for batch in self._file.iter_batches(batch_size=LINES, columns=stored):
                frame = batch.to_pandas(ignore_metadata=True)
                frame.index += done
                if self._index is not None:
                    frame.insert(0, INDEX, np.array(self._index[done : done + batch.num_rows]))
                done += batch.num_rows
                yield frame[[*columns]], done / lines


@dataclass(frozen=True)
class FrameTable:
    """A data frame of pandas, with its index as columns unless that counts the rows; a period is when it begins."""

    frame: pd.DataFrame
    where: Path = Path("the data frame")
    notes: Sequence[str] = ()

    @cached_property
    def _flat(self) -> pd.DataFrame:
        import pandas as pd

        index = self.frame.index
        counts = index.name is None and index.equals(pd.RangeIndex(len(index)))
        whole = self.frame if counts else self.frame.copy()  # as one block: pandas warns of columns put before many
        flat = whole if counts else whole.reset_index(allow_duplicates=True)
        flat = flat.set_axis([_joined(name) for name in flat.columns], axis=1)
        if not flat.columns.is_unique:
            return flat  # and refused where the columns are looked at
        periods = [name for name, dtype in flat.dtypes.items() if isinstance(dtype, pd.PeriodDtype)]
        return flat.assign(**{str(name): flat[name].dt.to_timestamp() for name in periods})

    @property
    def columns(self) -> Sequence[str]:
        return list(self._flat.columns)

    @property
    def dtypes(self) -> Sequence[Any]:
        """The type of each column."""
        return list(self._flat.dtypes)

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:  # noqa: ARG002
        """As ``Table`` says; what has a type keeps it."""
        lines = max(1, len(self._flat))
        for first in range(0, lines, LINES):
            yield self._flat[[*columns]].iloc[first : first + LINES], min(1.0, (first + LINES) / lines)


def _joined(name: object) -> str:
    """The name of a column, whose levels are joined if it has several."""
    return "_".join(named(part) for part in name if part != "") if isinstance(name, tuple) else named(name)


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as {kind} ({one_line(error)[:200]}); it may be cut off or not be what its name says"
        ) from error
