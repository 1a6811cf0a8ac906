"""Arrays of ``.npy`` and ``.npz`` files: which there are, by their headers, and one of them whole."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.archives import open_zip
from bench.catalog.import_card import ImportCard
from bench.catalog.npy import header_of, mapped
from bench.errors import DataError
from bench.plain_files import open_plain
from bench.plain_text import one_line

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
        arrays = cls.all_of(path)
        array = arrays[_key(path, card, [*arrays])]
        array._check(card)
        return array

    @classmethod
    def all_of(cls, path: Path) -> dict[str, NumpyFile]:
        """Every array of a file by its name; that of an ``.npy`` is named by "".

        Raises:
            DataError: If it cannot be read.
        """
        with told(path), open_plain(path) as stream:
            is_zip = stream.read(2) == b"PK"
            stream.seek(0)
            if not is_zip:
                return {"": cls._of_header(path, "", stream)}
            with open_zip(stream) as archive:
                members = [member for member in archive.namelist() if member.endswith(".npy")]
                return {member.removesuffix(".npy"): cls._of_member(path, member, archive) for member in members}

    @classmethod
    def _of_member(cls, path: Path, member: str, archive: zipfile.ZipFile) -> NumpyFile:
        with archive.open(member) as stream:
            return cls._of_header(path, member, stream)

    @classmethod
    def _of_header(cls, path: Path, member: str, stream: IO[bytes]) -> NumpyFile:
        shape, by_column, dtype = header_of(stream)
        return cls(path=path, member=member, shape=shape, dtype=dtype, by_column=by_column)

    def whole(self) -> NDArray[Any]:
        """The array: mapped, or read where it lies in an ``.npz``.

        Raises:
            DataError: If it cannot be read.
        """
        with told(self.path):
            if not self.member:
                return mapped(self.path)
            with self.unpacked() as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)

    @contextlib.contextmanager
    def unpacked(self) -> Iterator[IO[bytes]]:
        """What an ``.npz`` holds of it, with its header; whoever reads to the end has the sum of it compared."""
        with open_plain(self.path) as file, open_zip(file) as archive, archive.open(self.member) as stream:
            yield stream

    def _check(self, card: ImportCard) -> None:
        if self.dtype.hasobject:
            raise unreadable(self.path, "an array of objects")
        if self.dtype.kind not in "biuf":
            raise DataError(f"{self.path} holds {self.dtype} where plain numbers are wanted; convert it to float32")
        check_shape(card, self.shape, self.path)


def check_shape(card: ImportCard, shape: tuple[int, ...], path: Path) -> None:
    """Hold the shape of a whole array against its card.

    Raises:
        DataError: If it is another one, or the array is empty.
    """
    time, row = card.layout.index("T"), card.row_shape()
    if (*shape[:time], *shape[time + 1 :]) != row or len(shape) <= time or not shape[time]:
        wanted = ", ".join([*map(str, row[:time]), "T", *map(str, row[time:])])
        raise DataError(f"{path} has shape {shape} where {card.layout} wants ({wanted}); correct the card or the file")


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """Around what is read of a file."""
    try:
        yield
    except BROKEN as error:
        raise unreadable(path, one_line(error)) from error


def unreadable(path: Path, why: str) -> DataError:
    writer = "save" if path.suffix.lower() == ".npy" else "savez"
    return DataError(
        f"{path} is not a readable .npz or .npy of plain numbers ({why}); it may be cut off or hold Python objects, so "
        f"write it again with numpy.{writer}"
    )


def _key(path: Path, card: ImportCard, keys: list[str]) -> str:
    if len(card.keys) > 1:
        raise DataError(f"{path} is read as one array, but the card names {len(card.keys)}; import it first")
    if keys == [""] or card.key in keys:
        return "" if keys == [""] else str(card.key)
    if card.key or len(keys) != 1:
        wanted = f"'{card.key}'" if card.key else "one array only"
        raise DataError(
            f"{path} holds {', '.join(keys) or 'nothing'} where {wanted} is wanted; name it as key in the card"
        )
    return keys[0]
