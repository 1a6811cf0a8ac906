"""``.npy`` files that are written row by row, and mapped into memory to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, EOFError)
"""What ``mapped`` raises for a file that is absent, cut off or no array of plain numbers."""


class NpyFile:
    """An array of a known shape that is written to a file from its first row to its last.

    Plain writes, and not a map that is written to: on a full disk the latter ends the process.
    """

    def __init__(self, path: Path, stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path, self._stream, self._dtype = path, stream, dtype
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)

    def add(self, rows: NDArray[Any]) -> None:
        """Write these rows behind those that are there.

        Raises:
            OSError: If they cannot be written.
        """
        self._stream.write(np.ascontiguousarray(rows, dtype=self._dtype).data)

    def whole(self) -> NDArray[Any]:
        """The array, mapped."""
        self._stream.flush()
        return mapped(self._path)


@contextlib.contextmanager
def npy_file(path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> Iterator[NpyFile]:
    """Write an array to ``path``.

    Raises:
        OSError: If it cannot be written.
    """
    with path.open("wb") as stream:
        yield NpyFile(path, stream, shape, np.dtype(dtype))


def mapped(path: Path) -> NDArray[Any]:
    """The array of an ``.npy``, mapped read-only; nothing is unpickled.

    Raises:
        OSError, ValueError: If the file is absent, cut off or of something else.
    """
    return np.lib.format.open_memmap(path, mode="r")
