"""``.npy`` and ``.npz`` as arrays that an import reads: mapped, or a piece at a time as they are unpacked."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from bench.catalog.importing.arrays import Indexed, Readable
from bench.catalog.npy import header_of
from bench.catalog.numpy_files import NumpyFile, told


def numpy_arrays(path: Path) -> Mapping[str, Readable]:
    """Every array of a file, by name.

    Raises:
        DataError: If it cannot be read.
    """
    return {name: _Mapped(file) if not file.member else _Member(file) for name, file in NumpyFile.all_of(path).items()}


@dataclass
class _Stored:
    """What the header of an array says."""

    file: NumpyFile
    chunk: None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.file.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.file.dtype


class _Mapped(_Stored):
    """The array of an ``.npy``."""

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        return Indexed(self.file.whole()).read(axis, piece)

    def close(self) -> None:
        pass


@dataclass
class _Member(_Stored):
    """An array in an ``.npz``: unpacked from its first row to its last, or whole where rows do not lie together."""

    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _stream: IO[bytes] | None = None
    _whole: NDArray[Any] | None = None
    _next: int = 0

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        if axis or self.file.by_column or piece == slice(None):
            self._whole = self.file.whole() if self._whole is None else self._whole
            return Indexed(self._whole).read(axis, piece)
        with told(self.file.path):
            return self._rows(piece.start, piece.stop)

    def close(self) -> None:
        self._open.close()

    def _rows(self, start: int, stop: int) -> NDArray[Any]:
        if self._stream is None:
            self._stream = self._open.enter_context(self.file.unpacked())
            header_of(self._stream)
        if start != self._next:
            raise ValueError(f"slot {start} was asked for after slot {self._next}")
        shape = (stop - start, *self.shape[1:])
        content = self._stream.read(math.prod(shape) * self.dtype.itemsize)
        self._next = stop
        if stop == self.shape[0]:
            if self._stream.read(1):  # and the sum of the whole is compared
                raise ValueError("it is longer than its header says")
            self.close()
        return np.frombuffer(content, self.dtype).reshape(shape)
