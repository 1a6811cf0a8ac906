"""Bytes of third-party files into arrays: nothing is ever unpickled, and a broken file is one sentence.

Every function raises DataError when the file is truncated, of another kind, or lacks what it should hold.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.archives import open_zip
from bench.errors import DataError
from bench.plain_files import check_plain, open_plain, read_plain
from bench.plain_text import one_line

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_H5 = 1 << 33  # bytes of an array; HDF5 packs one of zeros into nothing
UNREADABLE = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)


@contextmanager
def _reading(path: Path, kind: str) -> Iterator[None]:
    try:
        check_plain(path)
        yield
    except UNREADABLE as error:
        reason = one_line(error)[:200]
        raise DataError(
            f"{path} cannot be read as {kind} ({reason}); it is truncated or not what its name says: get the file again"
        ) from error


def read_npz(path: Path, key: str, *, member: str | None = None) -> NDArray[Any]:
    """The array ``key`` of an ``.npz`` file, or of the ``.npz`` called ``member`` inside the zip archive ``path``."""
    with _reading(path, "an .npz file"), _member(path, member) if member else open_plain(path) as stream:
        if zipfile.is_zipfile(stream):
            open_zip(stream)  # whose sizes are looked at; numpy opens it again
        stream.seek(0)
        archive = np.load(stream, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds a bare array; wanted an .npz file with the array '{key}'")
        if key not in archive.files:
            raise DataError(f"{path} holds {_listed(archive.files)}; wanted an array '{key}'")
        return _numeric(archive[key], f"{path}, array '{key}'")


def _member(path: Path, name: str) -> io.BytesIO:
    with open_plain(path) as stream, open_zip(stream) as archive:
        found = [member for member in archive.namelist() if PurePosixPath(member).name == name]
        if len(found) != 1:
            raise DataError(f"{path} holds {len(found)} files called {name}; wanted one")
        return io.BytesIO(archive.read(found[0]))


def read_npy(path: Path) -> NDArray[Any]:
    """The array of an ``.npy`` file."""
    with _reading(path, "an .npy file"), open_plain(path) as stream:
        found = np.load(stream, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            raise DataError(f"{path} is an archive of several arrays; wanted an .npy file with one")
        return _numeric(found, str(path))


def read_h5(path: Path, *, data: str, dates: str) -> tuple[NDArray[Any], list[str]]:
    """An HDF5 file's values and the text of its time stamps."""
    import h5py

    with _reading(path, "an HDF5 file"), h5py.File(path, "r") as file:
        missing = [key for key in (data, dates) if not _held(file, key)]
        if missing:
            raise DataError(f"{path} holds {_listed(file)}; wanted the data set '{missing[0]}' in the file itself")
        stamps = [stamp.decode() if isinstance(stamp, bytes) else str(stamp) for stamp in file[dates][:].tolist()]
        if file[data].nbytes > MOST_H5:
            raise DataError(f"{path} says of '{data}' that it has {file[data].nbytes} bytes; get the official file")
        return _numeric(file[data][:], f"{path}, data set '{data}'"), stamps


def _held(file: Any, key: str) -> bool:
    """Whether an HDF5 file holds a data set itself: neither a link nor its storage may lead to another file."""
    import h5py

    if not isinstance(file.get(key, getlink=True), h5py.HardLink) or not isinstance(file[key], h5py.Dataset):
        return False
    return file[key].external is None and not file[key].is_virtual


def read_matrix(path: Path) -> NDArray[Any]:
    """A CSV file of numbers under one header line; an empty field is NaN."""
    import pandas as pd

    with _reading(path, "a CSV file of numbers"):
        return pd.read_csv(path, dtype=np.float64).to_numpy()


def read_table(path: Path, columns: dict[str, str]) -> pd.DataFrame:
    """The named columns of a CSV file, with the given dtypes."""
    import pandas as pd

    with _reading(path, "a CSV file"):
        header = list(pd.read_csv(path, nrows=0).columns)
        missing = [name for name in columns if name not in header]
        if missing:
            raise DataError(f"{path} has the columns {_listed(header)}; wanted '{missing[0]}' too")
        return pd.read_csv(path, usecols=list(columns), dtype=columns)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file whose top level is an object."""
    with _reading(path, "a JSON file"):
        found = json.loads(read_plain(path))
    if not isinstance(found, dict):
        raise DataError(f"{path} holds a JSON {type(found).__name__}; wanted an object with named parts")
    return found


def as_array(nested: Any, where: str, dtype: type[Any] | None = None) -> NDArray[Any]:
    """A regular numeric (or, without ``dtype``, text) array out of nested lists."""
    try:
        return np.asarray(nested, dtype=dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{where} is not a regular array of numbers: get the file again") from error


def _numeric(array: NDArray[Any], where: str) -> NDArray[Any]:
    if array.dtype.kind not in "iuf":
        raise DataError(f"{where} has dtype {array.dtype}; wanted integers or floats")
    return array


def _listed(names: Any) -> str:
    return ", ".join(repr(str(name)) for name in list(names)[:8]) or "nothing"
