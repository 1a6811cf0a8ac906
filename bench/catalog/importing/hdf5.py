"""HDF5 files: named arrays, and frames as pandas writes them (METR-LA, PEMS-BAY), read without pytables or pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.array_files import named_arrays, source
from bench.catalog.importing.arrays import ArraySource, Indexed, Readable, Reported, checked
from bench.catalog.importing.nodes import named
from bench.catalog.importing.stamps import stamps
from bench.errors import DataError
from bench.plain_text import one_line

UNREADABLE: Final = (OSError, ValueError, KeyError, RuntimeError, TypeError)
UNITS: Final = {"datetime64": "ns", **{f"datetime64[{unit}]": unit for unit in ("s", "ms", "us", "ns")}}


def hdf5_source(path: Path, card: ImportCard, folder: Path, on_progress: Callable[[int, int], None]) -> ArraySource:
    """What a card means in an HDF5 file; ``folder`` is the card's.

    Raises:
        DataError: If the file cannot be read or is not what the card says.
    """
    import h5py

    with _told(path):
        file = h5py.File(path, "r")
    with _told(path):
        frames = _frames(file)
        if frames:
            return _frame_source(_frame(frames, card, path), path, card, folder, on_progress)
        arrays = _arrays(file, path)
    return named_arrays(arrays, card, path, folder, on_progress)


def is_netcdf(path: Path) -> bool:
    """Whether an HDF5 file was written as NetCDF, with names of dimensions."""
    import h5py

    with _told(path), h5py.File(path, "r") as file:
        return "_NCProperties" in file.attrs or any(
            item.attrs.get("CLASS", b"") == b"DIMENSION_SCALE"
            for item in file.values()
            if isinstance(item, h5py.Dataset)
        )


@dataclass(frozen=True)
class Columns:
    """Blocks of columns of a frame, each ``[T, n]``, in the order of the frame's columns."""

    blocks: tuple[Readable, ...]
    order: NDArray[np.int64]
    chunk: None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.blocks[0].shape[0], len(self.order))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.result_type(*(block.dtype for block in self.blocks))

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        whole = np.concatenate([block.read(0, piece if axis == 0 else slice(None)) for block in self.blocks], axis=1)
        return whole[:, self.order] if axis == 0 else whole[:, self.order][:, piece]

    def close(self) -> None:
        for block in self.blocks:
            block.close()


def _frame_source(
    frame: Any, path: Path, card: ImportCard, folder: Path, on_progress: Callable[[int, int], None]
) -> ArraySource:
    """A frame has a row for each slot, and a column for each sensor."""
    if len(card.channels) > 1:
        raise DataError(
            f"{path} holds a frame of one channel, but the card names {len(card.channels)}; correct channels"
        )
    if "axis0" not in frame:
        raise DataError(f"{path} has columns of several levels, which are not read; give each column one name")
    names, values = _texts(frame["axis0"], frame.name, path), _values(frame, path)
    checked([values], "TN", card, path, nodes=len(names))
    if card.times:
        raise DataError(f"{path} has times of its own, the index of its frame; leave times out of the card")
    times = _index(frame["axis1"], card, path)
    return source([values], "TN", card, path, folder, on_progress, times=times, names=names)


def _values(frame: Any, path: Path) -> Columns:
    columns = frame["axis0"][:].tolist()
    blocks, items = [], []
    for number in range(int(frame.attrs["nblocks"])):
        values = frame[f"block{number}_values"]
        if not values.attrs.get("transposed", 1):
            raise ValueError("its values lie column by column")
        blocks.append(Reported(Indexed(values), partial(_told, path)))
        items += frame[f"block{number}_items"][:].tolist()
    position = {name: number for number, name in enumerate(items)}
    if len(position) < len(columns) or {*position} != {*columns}:
        raise ValueError("two of its columns have one name")
    return Columns(tuple(blocks), np.array([position[name] for name in columns], dtype=np.int64))


def _index(index: Any, card: ImportCard, path: Path) -> Any:
    kind = _text(index.attrs.get("kind", b""))
    if kind in UNITS:
        times = index[:].astype(np.int64).astype(f"datetime64[{UNITS[kind]}]")
        zone = _text(index.attrs.get("tz", b""))
        return _in_zone(times, zone) if zone else times
    if kind == "string":
        return stamps(index[:], card, path, "index")
    raise DataError(
        f"{path} has rows named by {kind or 'something else'} where times are wanted; set an index of times"
    )


def _in_zone(times: NDArray[Any], zone: str) -> Any:
    """Times of UTC as those of a zone."""
    import pandas as pd

    return pd.Series(pd.DatetimeIndex(times, tz="UTC").tz_convert(zone))


def _texts(labels: Any, name: str, path: Path) -> list[str]:
    kind = _text(labels.attrs.get("kind", b""))
    if kind not in ("string", "integer", "float"):
        raise DataError(f"{path} has columns of '{name}' that are named by {kind}; name them by texts or whole numbers")
    return [named(label) for label in labels[:].tolist()]


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _frames(file: Any) -> dict[str, Any]:
    """Frames of pandas by the name of their group."""
    import h5py

    frames: dict[str, Any] = {}

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and (kind := _text(item.attrs.get("pandas_type", b""))):
            frames[name] = item
            if kind != "frame":
                frames[name] = kind

    file.visititems(look)
    return frames


def _frame(frames: dict[str, Any], card: ImportCard, path: Path) -> Any:
    listed = ", ".join(frames)
    if len(card.keys) > 1 or (len(frames) > 1 and not card.keys):
        raise DataError(f"{path} holds the frames {listed}; name one of them as key in the card")
    name = card.keys[0].strip("/") if card.keys else next(iter(frames))
    if name not in frames:
        raise DataError(f"{path} holds the frame {listed} where '{name}' is wanted; correct key in the card")
    if isinstance(frames[name], str):
        raise DataError(
            f"{path} holds '{name}' as a {frames[name]} of pandas, whose names are pickled; write it with "
            "frame.to_hdf(file, key='df', format='fixed'), or as Parquet"
        )
    return frames[name]


def _arrays(file: Any, path: Path) -> dict[str, Readable]:
    """Every array of the file itself: neither a link nor storage may lead to another file."""
    import h5py

    arrays: dict[str, Readable] = {}

    def look(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.external is not None or item.is_virtual:
            return
        if item.shape is not None and h5py.check_ref_dtype(item.dtype) is None:
            arrays[name] = Reported(Indexed(item), partial(_told, path))

    file.visititems(look)
    return arrays


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        text = one_line(error)
        remedy = "it may be cut off, or is no HDF5 file"
        if "filter" in text or "plugin" in text:
            remedy = "it is packed in a way that h5py alone does not unpack, so write it again with gzip"
        raise DataError(f"{path} cannot be read as HDF5 ({text}); {remedy}") from error
