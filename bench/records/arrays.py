"""Numbers in a record: whole ones of 64 bits, and arrays as base64 of little-endian float32, seven digits of each."""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

STORED = np.dtype("<f4")
MOST_SLOTS = 2**40  # of a series, a day and a horizon: far beyond any data, and safe in 64 bits


def text_of(values: NDArray[np.float64]) -> str:
    """The text of an array, row by row."""
    return base64.b64encode(values.astype(STORED).tobytes()).decode("ascii")


def values_of(text: str) -> NDArray[np.float64]:
    """The values in a text, ``[N]``.

    Raises:
        ValueError, TypeError: If it is no such text.
    """
    return np.frombuffer(base64.b64decode(text, validate=True), STORED).astype(np.float64)


def check_whole_numbers(value: object) -> None:
    """Look through plain values, however nested.

    Raises:
        ValueError: If a whole number needs more than 64 bits, its sign included: readers would make a float of it.
    """
    if _is_too_long(value):
        raise ValueError("a whole number in it needs more than 64 bits")


def _is_too_long(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_is_too_long, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_too_long, value))
    return isinstance(value, int) and value.bit_length() > 63
