"""What lies in memory beside an array, as a model could read it with numpy alone."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray


def beside(array: NDArray[np.generic]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The bytes before a mapped array, backwards, and those behind it, in the pages of memory that hold it."""
    first = array.__array_interface__["data"][0]
    before, behind = first % mmap.PAGESIZE, -(first + array.nbytes) % mmap.PAGESIZE
    start = array.reshape(-1)[:1].view(np.uint8)[:1]
    whole = as_strided(start, (array.nbytes + behind,))
    return as_strided(start, (before + 1,), (-1,))[1:], whole[array.nbytes :]
