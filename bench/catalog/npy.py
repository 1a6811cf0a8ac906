"""``.npy`` files that are written row by row, and mapped into memory to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.plain_files import check_plain

UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, EOFError)
"""What ``mapped`` raises for a file that is absent, cut off or no array of plain numbers."""


class NpyFile:
    """An array that is written to a file from its first row to its last.

    Plain writes, and not a map that is written to: on a full disk the latter ends the process.
    """

    def __init__(self, path: Path, stream: IO[bytes], row_shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path, self._stream, self._row_shape, self._dtype = path, stream, row_shape, dtype
        self.rows = 0
        self._write_header()

    def add(self, rows: NDArray[Any]) -> None:
        """Write these rows behind those that are there.

        Raises:
            OSError: If they cannot be written.
        """
        self._stream.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self.rows += len(rows)

    def whole(self) -> NDArray[Any]:
        """The array, mapped."""
        self.finish()
        return mapped(self._path)

    def finish(self) -> None:
        """Say in the file how many rows there are: numpy leaves room for the number."""
        self._stream.seek(0)
        self._write_header()
        self._stream.flush()
        self._stream.seek(0, 2)

    def _write_header(self) -> None:
        shape = (self.rows, *self._row_shape)
        header = {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._stream, header)


@contextlib.contextmanager
def npy_file(path: Path, row_shape: tuple[int, ...], dtype: type[np.generic]) -> Iterator[NpyFile]:
    """Write an array to ``path``.

    Raises:
        OSError: If it cannot be written.
    """
    with path.open("wb") as stream:
        yield NpyFile(path, stream, row_shape, np.dtype(dtype))


def mapped(path: Path) -> NDArray[Any]:
    """The array of an ``.npy``, mapped read-only; nothing is unpickled.

    Raises:
        OSError, ValueError: If the file is absent, cut off or of something else.
    """
    check_plain(path)
    return np.lib.format.open_memmap(path, mode="r")


def header_of(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it lies column by column, and type of the array that begins here.

    Raises:
        ValueError: If none does.
    """
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format is for arrays of records")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_column, dtype = read(stream)
    if min(shape, default=0) < 0:
        raise ValueError("negative dimensions are not allowed")
    return shape, by_column, dtype
