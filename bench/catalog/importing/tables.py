"""Tables with named columns, read a piece at a time: texts, LibCity's atomic files, Parquet and data frames."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.csv_lines import open_text
from bench.errors import DataError, require
from bench.plain_text import one_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow.parquet as pq

LINES: Final = 2**18  # that are read at once
LIBCITY: Final = (".grid", ".dyna")
UNREADABLE: Final = (OSError, ValueError, EOFError, zlib.error)  # pandas' own errors are ValueErrors, pyarrow's too


@dataclass(frozen=True)
class TextTable:
    """A text with a header: CSV, or values apart by tabs, semicolons or bars; it may be packed by gzip."""

    where: Path
    card: ImportCard

    @cached_property
    def _first(self) -> str:
        with _told(self.where, "a table"), open_text(self.where) as (text, _):
            return text.readline(2**20).strip()

    @property
    def _mark(self) -> str:
        return max((",", "\t", ";", "|"), key=self._first.count)

    @cached_property
    def columns(self) -> Sequence[str]:
        import pandas as pd

        with _told(self.where, "a table"), open_text(self.where) as (text, _):
            return [str(name) for name in pd.read_csv(text, sep=self._mark, nrows=0).columns]

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:
        """As ``Table`` says.

        Raises:
            DataError: If it cannot be read.
        """
        import pandas as pd

        size = max(1, self.where.stat().st_size)
        marks = [mark for mark in self.card.missing if isinstance(mark, str)]
        values = [name for name in columns if name not in texts]
        with _told(self.where, "a table"), open_text(self.where) as (text, tell):
            frames = pd.read_csv(
                text,
                sep=self._mark,
                decimal=self.card.decimal or ("," if self._mark == ";" else "."),
                usecols=[*columns],
                dtype=dict.fromkeys(texts, "str"),
                na_values=dict.fromkeys(values, marks),
                keep_default_na=True,
                chunksize=LINES,
                low_memory=False,
            )
            with frames:
                for frame in frames:
                    lines = frame.assign(**{name: frame[name].fillna("") for name in texts})
                    yield self._local(lines), tell() / size

    def _local(self, frame: pd.DataFrame) -> pd.DataFrame:
        """LibCity writes a Z behind times that are local."""
        if self.where.suffix.lower() in LIBCITY and "time" in frame.columns:
            return frame.assign(time=frame["time"].str.removesuffix("Z"))
        return frame


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file."""

    where: Path

    @cached_property
    def _file(self) -> pq.ParquetFile:
        require("pyarrow", "formats", f"{self.where}, a Parquet file,")
        import pyarrow.parquet as pq

        with _told(self.where, "Parquet"):
            return pq.ParquetFile(self.where)

    @property
    def columns(self) -> Sequence[str]:
        return [str(name) for name in self._file.schema_arrow.names]

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:  # noqa: ARG002
        """As ``Table`` says; what has a type keeps it.

        Raises:
            DataError: If it cannot be read.
        """
        done, lines = 0, max(1, self._file.metadata.num_rows)
        with _told(self.where, "Parquet"):
            for batch in self._file.iter_batches(batch_size=LINES, columns=[*columns]):
                done += batch.num_rows
                frame = batch.to_pandas(ignore_metadata=True)
                yield frame[[*columns]], done / lines


@dataclass(frozen=True)
class FrameTable:
    """A data frame of pandas, with its index as columns if that is named or has times; a period is when it begins."""

    frame: pd.DataFrame
    where: Path = Path("the data frame")

    @cached_property
    def _flat(self) -> pd.DataFrame:
        import pandas as pd

        index = self.frame.index
        named = any(name is not None for name in index.names)
        of_times = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex)
        flat = self.frame.reset_index() if named or of_times else self.frame
        periods = [name for name, dtype in flat.dtypes.items() if isinstance(dtype, pd.PeriodDtype)]
        begins = {str(name): flat[name].dt.to_timestamp() for name in periods}
        return flat.rename(columns=str).assign(**begins)

    @property
    def columns(self) -> Sequence[str]:
        return list(self._flat.columns)

    def frames(self, columns: Sequence[str], texts: Sequence[str]) -> Generator[tuple[pd.DataFrame, float]]:  # noqa: ARG002
        """As ``Table`` says; what has a type keeps it."""
        lines = max(1, len(self._flat))
        for first in range(0, lines, LINES):
            yield self._flat[[*columns]].iloc[first : first + LINES], min(1.0, (first + LINES) / lines)


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as {kind} ({one_line(error)[:200]}); it may be cut off or not be what its name says"
        ) from error
