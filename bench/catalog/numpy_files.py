"""Arrays of ``.npy`` and ``.npz`` files, read a piece at a time."""

from __future__ import annotations

import contextlib
import math
import zipfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard, one_line
from bench.catalog.npy import header_of, mapped
from bench.errors import DataError
from bench.mapped import in_pieces, pieces

BROKEN: Final = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class NumpyFile:
    """An array in a file, of which only the header was read.

    Attributes:
        member: Its name in an ``.npz``; empty for an ``.npy``.
        by_column: Whether it lies column by column, so that no row lies together.
    """

    path: Path
    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_column: bool

    @classmethod
    def of(cls, path: Path, card: ImportCard) -> NumpyFile:
        """The array that a card means.

        Raises:
            DataError: If there is none, or it holds no plain numbers or is not of the shape that the card says.
        """
        with _told(path), path.open("rb") as stream:
            member = ""
            is_zip = stream.read(2) == b"PK"
            stream.seek(0)
            if is_zip:
                with zipfile.ZipFile(stream) as archive:
                    member = _member(path, card, archive)
                    with archive.open(member) as inner:
                        shape, by_column, dtype = header_of(inner)
            else:
                shape, by_column, dtype = header_of(stream)
            if dtype.hasobject:
                raise ValueError("an array of objects")
        found = cls(path=path, member=member, shape=shape, dtype=dtype, by_column=by_column)
        found._check(card)
        return found

    def rows(self) -> Generator[NDArray[Any]]:
        """The array a piece at a time, as it is stored.

        Raises:
            DataError: If it cannot be read to its end.
        """
        with _told(self.path):
            if self.member and not self.by_column:
                yield from self._rows_of_member()
            else:
                yield from in_pieces(self.whole())

    def whole(self) -> NDArray[Any]:
        """The array: mapped, or read where it lies in an ``.npz``.

        Raises:
            DataError: If it cannot be read.
        """
        with _told(self.path):
            if not self.member:
                return mapped(self.path)
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)

    def _rows_of_member(self) -> Generator[NDArray[Any]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
            header_of(stream)
            for piece in pieces(self.shape):
                shape = (piece.stop - piece.start, *self.shape[1:])
                content = stream.read(math.prod(shape) * self.dtype.itemsize)
                yield np.frombuffer(content, self.dtype).reshape(shape)
            if stream.read(1):  # and the sum of the whole is compared
                raise ValueError("it is longer than its header says")

    def _check(self, card: ImportCard) -> None:
        if self.dtype.kind not in "biuf":
            raise DataError(f"{self.path} holds {self.dtype} where plain numbers are wanted; convert it to float32")
        check_shape(card, self.shape, self.path)


def check_shape(card: ImportCard, shape: tuple[int, ...], path: Path) -> None:
    """Hold the shape of a whole array against its card.

    Raises:
        DataError: If it is another one, or the array is empty.
    """
    if shape[1:] != card.row_shape() or not shape or not shape[0]:
        wanted = ", ".join(["T", *map(str, card.row_shape())])
        raise DataError(f"{path} has shape {shape} where {card.layout} wants ({wanted}); correct the card or the file")


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Around what is read of a file."""
    try:
        yield
    except BROKEN as error:
        raise DataError(
            f"{path} is not a readable .npz or .npy of plain numbers ({one_line(error)}); it may be cut off or hold "
            "Python objects, so write it again with numpy.savez"
        ) from error


def _member(path: Path, card: ImportCard, archive: zipfile.ZipFile) -> str:
    keys = [name.removesuffix(".npy") for name in archive.namelist()]
    return f"{_key(path, card, keys)}.npy"


def _key(path: Path, card: ImportCard, keys: list[str]) -> str:
    if card.key in keys:
        return card.key
    if card.key or len(keys) != 1:
        wanted = f"'{card.key}'" if card.key else "one array only"
        raise DataError(
            f"{path} holds {', '.join(keys) or 'nothing'} where {wanted} is wanted; name it as key in the card"
        )
    return keys[0]
