"""The cache of canonical data: large arrays in files that are mapped into memory, the rest in one beside them.

Of a data set ``<name>-<key>.npz`` is written last. It holds the digest of the content, and how the files beside it
looked, ``<name>-<key>.values.npy`` and, where values are missing, ``<name>-<key>.mask.npy``. Files that still look so
are taken as they are; others are held against the digest, and made anew if they differ. Equal keys have equal content,
so processes that make one at once do no harm.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.canonical import SYNTHETIC, Growing, canonical, card_of_channels, content_digest
from bench.catalog.npy import UNREADABLE, mapped, npy_file
from bench.errors import DataError, unwritten
from bench.files import atomic_write
from bench.plain_files import open_plain
from bench.types import DataIdentity, DatasetCard, RawSeries, SpatioTemporalData

CORRUPT: Final = (*UNREADABLE, IndexError, RecursionError, zipfile.BadZipFile, zlib.error)


class CacheError(DataError):
    """A cache that cannot be written; the data themselves may be well."""


def stored_identity(file: Path) -> DataIdentity | None:
    """What the cache of a data set, named by its ``.npz``, says of itself; None if it is absent or broken."""
    try:
        with open_plain(file) as stream, np.load(stream, allow_pickle=False) as archive:
            return _identity(file, json.loads(str(archive["about"])))
    except CORRUPT:
        return None


def stored_shape(file: Path) -> tuple[int, ...] | None:
    """The shape of the values in a cache, of whose arrays nothing is read; None if it is absent or broken."""
    try:
        return mapped(_beside(file, "values")).shape
    except CORRUPT:
        return None


def stored(file: Path, card: DatasetCard) -> SpatioTemporalData | None:
    """The content of a cache, its large arrays mapped; None if it is absent, broken or not what its digest says."""
    try:
        with open_plain(file) as stream, np.load(stream, allow_pickle=False) as archive:
            about = json.loads(str(archive["about"]))
            small = {key: archive[key] for key in ("cell_mask", "clock")}
            segments = tuple((int(start), int(stop)) for start, stop in archive["segments"])
        looks = _looks_now(file, about)  # before the files are mapped, so that they are not younger ones
        values = mapped(_beside(file, "values"))
        data = SpatioTemporalData(
            card=card_of_channels(card, values.shape[1]),
            identity=_identity(file, about),
            values=values,
            mask=mapped(_beside(file, "mask")) if "mask" in about["looks"] else None,
            segments=segments,
            **small,
        )
        return data if about["looks"] == looks or _verified(file, data, about, looks) else None
    except CORRUPT:
        return None


def build(file: Path, card: DatasetCard, raw: RawSeries, version: str) -> SpatioTemporalData:
    """Make the cache of a series, piece by piece, and give what ``stored`` gives of it.

    Raises:
        CacheError: If it cannot be written.
        DataError: If the series is not what its card says; then nothing is written.
    """
    try:
        with contextlib.ExitStack() as files:
            parts: dict[str, Path] = {}

            def grow(name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> Growing:
                parts[name] = files.enter_context(atomic_write(_beside(file, name)))
                return files.enter_context(npy_file(parts[name], shape[1:], dtype))

            data = canonical(card, raw, version, grow)
            looks = _looks(parts)  # which stay as they get their names; another process may take these at any time
        _write_rest(file, data, looks)
    except OSError as error:
        raise not_written(file, error) from error
    if (found := stored(file, card)) is None:
        raise CacheError(f"{file} is not as it was written a moment ago; check the disk, or choose another folder")
    return found


def write(file: Path, save: Callable[[IO[bytes]], Any]) -> None:
    """Write a file whole or not at all.

    Raises:
        CacheError: If it cannot be written.
    """
    try:
        with atomic_write(file) as part, part.open("wb") as stream:
            save(stream)
    except OSError as error:
        raise not_written(file, error) from error


def not_written(file: Path, error: OSError) -> CacheError:
    """The error of a file that cannot be written."""
    return CacheError(f"the cache {unwritten(str(file), error)}")


def _beside(file: Path, name: str) -> Path:
    return file.with_suffix(f".{name}.npy")


Looks = dict[str, list[int]]
"""Size and time of change of each file of a large array."""


def _looks(files: Mapping[str, Path]) -> Looks:
    stats = {name: file.stat() for name, file in files.items()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def _looks_now(file: Path, about: Mapping[str, Any]) -> Looks:
    return _looks({name: _beside(file, name) for name in about["looks"]})


def _verified(file: Path, data: SpatioTemporalData, about: Mapping[str, Any], looks: Looks) -> bool:
    """Whether the content is what its digest says; where it is, how it looked before is noted, if that can be."""
    sha256 = content_digest(data.card, data.values, data.mask, data.cell_mask, data.clock, data.segments)
    if sha256 == data.identity.sha256 and looks == _looks_now(file, about):
        with contextlib.suppress(CacheError):
            _write_rest(file, data, looks)
    return sha256 == data.identity.sha256


def _write_rest(file: Path, data: SpatioTemporalData, looks: Looks) -> None:
    identity = data.identity
    about = {"version": identity.version, "sha256": identity.sha256, "looks": looks}
    arrays: dict[str, NDArray[Any]] = {
        "about": np.array(json.dumps(about)),
        "cell_mask": data.cell_mask,
        "clock": data.clock,
        "segments": np.array(data.segments, dtype=np.int64),
    }
    write(file, lambda stream: np.savez(stream, allow_pickle=False, **arrays))


def _identity(file: Path, about: dict[str, Any]) -> DataIdentity:
    version = str(about["version"])
    name = file.stem.rpartition("-")[0]
    return DataIdentity(
        name=name, version=version, sha256=str(about["sha256"]), synthetic=version.startswith(SYNTHETIC)
    )
