"""Arrays that lie in a file and are mapped into memory: read a piece at a time, so that none stays in memory whole.

What is mapped and was touched counts as memory of the process until it is let go; the system keeps the file itself,
once for all processes.
"""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.errors import DataError

PIECE: Final = 2**21  # values read at once, 8 MiB of float32

Number = TypeVar("Number", bound=np.generic)


def pieces(shape: tuple[int, ...], start: int = 0, stop: int | None = None) -> Iterator[slice]:
    """Ranges along the first axis, from ``start`` to ``stop``, of at most ``PIECE`` values or of one row each."""
    stop = shape[0] if stop is None else stop
    rows = max(1, PIECE // max(1, math.prod(shape[1:])))
    for first in range(start, stop, rows):
        yield slice(first, min(first + rows, stop))


def in_pieces(array: NDArray[Number], start: int = 0, stop: int | None = None) -> Iterator[NDArray[Number]]:
    """The rows of an array a piece at a time; one that is mapped is let go behind."""
    for piece in pieces(array.shape, start, stop):
        yield array[piece]
        let_go(array)


def let_go(array: NDArray[Any]) -> None:
    """Count what was read of an array that is mapped read-only no longer as memory of this process."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:  # in memory, or a private map, whose changes are nowhere else
            return
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        with contextlib.suppress(OSError):  # a hint, no more
            base.madvise(mmap.MADV_DONTNEED)


def storage_of_its_own(array: NDArray[Number], start: int, stop: int) -> NDArray[Number]:
    """Rows ``start`` to ``stop`` as an array behind which there is nothing else, and which may be written to.

    Of a whole file that is mapped it is a private map of the pages that hold these rows, zero before and behind them:
    what is written stays in this process. Of anything else it is a copy.

    Raises:
        DataError: If the file is no longer there.
    """
    if not (isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap) and array.filename):
        return np.array(array[start:stop])
    first, last = (array.offset + row * array.strides[0] for row in (start, stop))
    try:
        begin, pages = _private_pages(Path(array.filename), first, last)
    except (OSError, ValueError) as error:
        raise DataError(f"{array.filename} was removed while it was in use ({error}); run the command again") from error
    for outside in (slice(0, first - begin), slice(last - begin, len(pages))):
        pages[outside] = bytes(outside.stop - outside.start)
    return np.ndarray((stop - start, *array.shape[1:]), array.dtype, pages, first - begin)


def _private_pages(file: Path, first: int, last: int) -> tuple[int, mmap.mmap]:
    """The whole pages of a file that hold its bytes from ``first`` to ``last``, and the byte that they begin at.

    A system maps whole pages, whatever length it is asked for: what is left out of the length can be read all the same.
    """
    begin, end = first - first % mmap.ALLOCATIONGRANULARITY, last + -last % mmap.PAGESIZE
    with file.open("rb") as stream:
        end = max(last, min(end, file.stat().st_size))  # behind the end of a file a page is zero
        return begin, mmap.mmap(stream.fileno(), end - begin, access=mmap.ACCESS_COPY, offset=begin)
