"""Forecasts that were made elsewhere, as an array or in a file, read batch by batch; nothing is unpickled."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.npy import header_of, mapped
from bench.errors import ForecastError
from bench.records.plain import one_line
from bench.records.saved_forecasts import FORECASTS

WRITE: Final = "write it with numpy.savez(FILE, forecasts=array)"
FACTS: Final[tuple[str, ...]] = (
    "origins",
    "times",
    "channels",
    "units",
    "dataset",
    "data_sha256",
    "task",
    "model",
    "seed",
)
"""What is read of a file beside the forecasts, as ``bench.records.saved_forecasts.About`` has it."""
MAGIC: Final = b"\x93NUMPY"  # begins an .npy
LARGEST: Final = 2**26  # bytes of any of these
BROKEN: Final = (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class Given:
    """Forecasts as they were given, of which only the kind was looked at.

    Attributes:
        name: For messages.
        shape: Of the array.
        facts: What the file says of them, by the names of ``FACTS``.
        array: In memory or mapped; None where it is read from a member of the file.
        path: Of the file, if there is one.
        member: The array's name in it.
    """

    name: str
    shape: tuple[int, ...]
    facts: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    array: NDArray[Any] | None = None
    path: Path | None = None
    member: str = ""

    def batches(self, size: int) -> Iterator[NDArray[np.float32]]:
        """So many windows at a time, in their order; the last batch may be short.

        Raises:
            ForecastError: If the file breaks off.
        """
        for start in range(0, self.shape[0], size) if self.array is not None else ():
            yield _single(self.array[start : start + size])  # type: ignore[index]
        if self.array is None and self.path is not None:
            with _told(self.path), zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                _, _, dtype = header_of(stream)
                for start in range(0, self.shape[0], size):
                    shape = (min(size, self.shape[0] - start), *self.shape[1:])
                    content = stream.read(math.prod(shape) * dtype.itemsize)
                    yield _single(np.frombuffer(content, dtype).reshape(shape))
                if stream.read(1):  # and the sum of the whole is compared
                    raise ValueError("it is longer than its header says")

    def text(self, fact: str) -> str:
        """A fact that is one text; empty if it is not given."""
        value = self.facts.get(fact)
        return str(value) if value is not None and value.ndim == 0 else ""


def given(forecasts: object, key: str = "") -> Given:
    """An array, or the path of an ``.npz`` or ``.npy`` with one.

    Args:
        forecasts: What numpy takes for an array of numbers, or a path.
        key: The name of the array in an ``.npz``; empty for "forecasts", or the only one.

    Raises:
        ForecastError: If there is none, or it holds anything else than numbers.
    """
    if isinstance(forecasts, str | Path):
        return _from_file(Path(forecasts), key)
    try:
        array = np.asarray(forecasts)
    except Exception as error:  # whatever an object raises that is asked for an array
        raise ForecastError(f"the forecasts cannot be read as an array ({one_line(error)}); give numpy's") from error
    _check_numbers("the forecasts", array.dtype)
    return Given(name="the array of forecasts", shape=array.shape, array=array)


def _from_file(path: Path, key: str) -> Given:
    if not path.is_file():
        what = "is no file" if path.exists() else "is not there"
        raise ForecastError(f"{path} {what}; give an .npz or .npy of forecasts")
    with _told(path), path.open("rb") as stream:
        if stream.read(2) == b"PK":
            with zipfile.ZipFile(path) as archive:
                return _from_npz(path, archive, key)
        stream.seek(0)
        if stream.read(len(MAGIC)) != MAGIC:
            raise ForecastError(f"{path} is neither an .npz nor an .npy of numpy; {WRITE}")
        stream.seek(0)
        shape, _, dtype = header_of(stream)
    _check_numbers(str(path), dtype)
    with _told(path):
        return Given(name=str(path), shape=shape, array=mapped(path), path=path)


def _from_npz(path: Path, archive: zipfile.ZipFile, key: str) -> Given:
    names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    if not names:
        raise ForecastError(f"{path} is a zip without arrays of numpy; {WRITE}")
    name = _key(path, names, key)
    with archive.open(f"{name}.npy") as stream:
        shape, by_column, dtype = header_of(stream)
    _check_numbers(str(path), dtype)
    array = None
    if by_column:  # no window lies together
        with archive.open(f"{name}.npy") as stream:
            array = np.lib.format.read_array(stream, allow_pickle=False)
    facts = {fact: _fact(path, archive, fact) for fact in FACTS if fact in names and fact != name}
    return Given(name=str(path), shape=shape, facts=facts, array=array, path=path, member=f"{name}.npy")


def _key(path: Path, names: list[str], key: str) -> str:
    wanted = key or (FORECASTS if FORECASTS in names else "")
    others = [name for name in names if name not in FACTS]
    if wanted in names:
        return wanted
    if key or len(others) != 1:
        what = f"no '{key}'" if key else f"no array called '{FORECASTS}'"
        raise ForecastError(
            f"{path} holds {', '.join(names)} and {what}; say which with --key of 'stbench score', or {WRITE}"
        )
    return others[0]


def _fact(path: Path, archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as stream:
        shape, _, dtype = header_of(stream)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize > LARGEST:
            raise ForecastError(f"'{name}' in {path} holds Python objects or is too large; leave it out")
    with archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _check_numbers(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject:
        raise ForecastError(
            f"{name} holds Python objects, which are not unpickled; write plain numbers, as "
            "numpy.savez(FILE, forecasts=array.astype('float32'))"
        )
    if dtype.kind not in "iuf":
        raise ForecastError(f"{name} holds {dtype} where numbers are wanted; convert the forecasts to float32")


def _single(rows: NDArray[Any]) -> NDArray[np.float32]:
    """As the harness has forecasts; what is too large for it becomes infinite, which is refused."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(rows, dtype=np.float32, order="C")  # a copy, which torch may take


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Around what is read of a file."""
    try:
        yield
    except BROKEN as error:
        raise ForecastError(
            f"{path} is no readable .npz or .npy of numpy ({one_line(error)}); it may be cut off or of another kind, "
            f"so {WRITE}"
        ) from error
