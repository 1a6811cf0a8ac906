"""Arrays of any file or library as a source of rows: axes in any order, several arrays as channels, gaps, sensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bench import mapped
from bench.catalog.import_card import ImportCard
from bench.catalog.import_layout import sizes
from bench.catalog.importing.nodes import Canvas
from bench.catalog.importing.times import TimeAxis
from bench.errors import DataError

CHUNK: Final = 8  # pieces that may be read at once, so that a chunk of a file is unpacked once


class Readable(Protocol):
    """An array that is read a range along one axis at a time, from the first to the last."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def chunk(self) -> tuple[int, ...] | None:
        """Size of the blocks that the file is made of, if it is."""

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        """These indices of an axis, and all of the others."""

    def close(self) -> None:
        """Let go of the file, if that has to be done."""


@dataclass(frozen=True)
class Indexed:
    """Whatever is indexed as an array is: one in memory, one that is mapped, or of h5py, zarr or xarray."""

    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def chunk(self) -> tuple[int, ...] | None:
        chunks = getattr(self.array, "chunks", None)
        return tuple(chunks) if chunks and all(isinstance(size, int) for size in chunks) else None

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        rows = np.array(self.array[(slice(None),) * axis + (piece,)])
        if isinstance(self.array, np.ndarray):
            mapped.let_go(self.array)
        return rows

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Around:
    """An array read through another, which it is but for ``read``."""

    array: Readable

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def chunk(self) -> tuple[int, ...] | None:
        return self.array.chunk

    def close(self) -> None:
        self.array.close()


@dataclass(frozen=True)
class Reported(Around):
    """An array whose library's errors are told by ``around``."""

    around: Callable[[], AbstractContextManager[None]]

    def read(self, axis: int, piece: slice) -> NDArray[Any]:
        with self.around():
            return self.array.read(axis, piece)


@dataclass
class ArraySource:
    """Arrays of one shape, each of which is a channel, or one with all channels.

    Attributes:
        arrays: Of plain numbers.
        letters: What their axes are, such as "TNC"; without C where each is a channel.
        card: What the rows are: ``[t, C, H, W]`` of the channels that are used.
        channels: The channels that are used, where an array holds them all.
        times: ``[T]``, texts or datetimes, as numpy or pandas hold them; None if there are none.
        axis: Reads them.
        canvas: Where sensors lie; None if the axes are H and W.
        decided: Sentences on what was decided before anything was read.
    """

    arrays: Sequence[Readable]
    letters: str
    card: ImportCard
    channels: Sequence[int]
    times: Any
    axis: TimeAxis
    canvas: Canvas | None
    on_progress: Callable[[int, int], None]
    decided: Sequence[str] = ()

    @property
    def start(self) -> datetime | None:
        return self.axis.start

    @property
    def notes(self) -> list[str]:
        return [*self.decided, *([self.canvas.note()] if self.canvas else []), *self.axis.notes]

    def rows(self) -> Generator[NDArray[Any]]:
        """The values ``[t, C, H, W]``, a piece at a time."""
        time = self.letters.index("T")
        slots = self.arrays[0].shape[time]
        with ExitStack() as files:
            for array in self.arrays:
                files.callback(array.close)
            for piece in time_pieces(self.arrays[0], time):
                rows = self._channels([array.read(time, piece) for array in self.arrays])
                rows = self.canvas.spread(rows) if self.canvas else rows
                yield from [rows] if self.times is None else self.axis.filled(self.times[piece], rows)
                self.on_progress(piece.stop, slots)

    def _channels(self, read: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """``[t, C, H, W]`` or ``[t, C, N]`` of the channels that are used."""
        letters = [letter for letter in "TCHWN" if letter in self.letters]
        moved = [rows.transpose([self.letters.index(letter) for letter in letters]) for rows in read]
        if "C" not in letters:
            return np.stack(moved, axis=1)
        whole = np.concatenate(moved, axis=1) if len(moved) > 1 else moved[0]
        return whole[:, list(self.channels)] if len(self.channels) < whole.shape[1] else whole


def time_pieces(array: Readable, axis: int) -> Iterator[slice]:
    """Ranges along the axis of time, whole blocks of the file where these are not large."""
    slots = array.shape[axis]
    row = max(1, math.prod(array.shape) // max(1, slots))
    count = max(1, mapped.PIECE // row)
    block = array.chunk[axis] if array.chunk else 1
    if block > count and block <= CHUNK * count:
        count = block
    elif count > block:
        count -= count % block
    for first in range(0, slots, count):
        yield slice(first, min(first + count, slots))


def checked(arrays: Sequence[Readable], letters: str, card: ImportCard, where: Path | str, nodes: int = 0) -> str:
    """Hold arrays, whose axes are ``letters`` if there is one of them, against the card.

    ``nodes`` is how many sensors there are: 0 for as many as cells, or as the card says.

    Returns:
        What the axes of each are: without C, or with one of size 1, where each is a channel.

    Raises:
        DataError: If they are no plain numbers, not of one shape, or not of the card's.
    """
    first = arrays[0]
    for array in arrays:
        if array.dtype.hasobject:
            raise DataError(f"{where} holds Python objects, which are not read; write the numbers as float32")
        if array.dtype.kind not in "biuf":
            raise DataError(f"{where} holds {array.dtype} where plain numbers are wanted; convert it to float32")
        if array.shape != first.shape:
            raise DataError(
                f"{where} has arrays of shape {first.shape} and {array.shape}, which are no channels of one"
            )
    channels = len(card.channels) if len(arrays) == 1 else 1
    if len(arrays) > 1 and len(first.shape) < len(letters):
        letters = letters.replace("C", "")
    count = nodes or (card.nodes if isinstance(card.nodes, int) else 0)
    wanted = sizes(letters.replace("T", ""), channels, card.grid, count)
    time = letters.index("T")
    found = first.shape
    if (*found[:time], *found[time + 1 :]) != wanted or len(found) <= time or not found[time]:
        raise DataError(_other_shape(card, found, letters, wanted, where))
    return letters


def _other_shape(
    card: ImportCard, found: tuple[int, ...], letters: str, wanted: tuple[int, ...], where: Path | str
) -> str:
    time = letters.index("T")
    text = ", ".join([*map(str, wanted[:time]), "T", *map(str, wanted[time:])])
    if len(found) > time and not found[time]:
        return (
            f"{where} has shape {found} where {letters} wants ({text}), and so holds no slot; give a file with values"
        )
    remedy = "correct the card or the file"
    if {"H", "W"} < {*letters} and len(found) == len(letters):
        grid = [found[letters.index(letter)] for letter in "HW"]
        if sizes(letters.replace("T", ""), len(card.channels), (grid[0], grid[1]), 0) == _without(found, time):
            remedy = f"say grid = {grid} in the card if these are its rows and columns, or correct the file"
    if fitting := _fitting_layouts(card, found):
        named = " or ".join(f'layout = "{name}"' for name in fitting)
        remedy += f", or say {named} in the card"
    if len(found) == len(letters) and "N" in letters:
        nodes, cells = found[letters.index("N")], math.prod(card.grid)
        if nodes < cells:
            remedy += f", or say nodes = {nodes} in the card to lay {nodes} sensors row by row and leave the rest empty"
    return f"{where} has shape {found} where {letters} wants ({text}); {remedy}"


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def _fitting_layouts(card: ImportCard, found: tuple[int, ...]) -> list[str]:
    """The layouts in which an array has the shape that the card wants; none if there are many."""
    orders = {"".join(order) for letters in ("THW", "TCHW", "TN", "TCN") for order in permutations(letters)}
    nodes = card.nodes if isinstance(card.nodes, int) else 0
    fitting = [
        name
        for name in sorted(orders)
        if len(name) == len(found)
        and ("C" in name or len(card.channels) == 1)
        and found[: name.index("T")] + found[name.index("T") + 1 :]
        == sizes(name.replace("T", ""), len(card.channels), card.grid, nodes)
    ]
    return fitting if len(fitting) < 4 else []
