"""Mean, deviation and extremes of values that are read a piece at a time, to the last bit those of all of them at once.

numpy adds values in pairs, then pairs of pairs. The same tree is followed here down to parts that fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.mapped import in_pieces, let_go, pieces

PART: Final = 2**19  # values added at once, 4 MiB of float64; more than 128, below which numpy's tree ends


class Seen:
    """The valid ones of ``values [T, H, W]``, in their order, in float64; a single zero if there is none."""

    def __init__(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
        self._values, self._valid = values, valid
        counts = [rows.sum(axis=(1, 2)) for rows in in_pieces(valid)]
        self._ends = np.cumsum(np.concatenate(counts))  # [T], how many there are up to the end of each slot
        self.count = int(self._ends[-1])

    def extremes(self) -> tuple[float, float]:
        """The least and the greatest."""
        if not self.count:
            return 0.0, 0.0
        lows, highs = [], []
        for piece in pieces(self._values.shape):
            if len(some := self._values[piece][self._valid[piece]]):
                lows.append(some.min())
                highs.append(some.max())
            let_go(self._values)
        return float(min(lows)), float(max(highs))

    def mean_and_deviation(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        if not self.count:
            return 0.0, 0.0
        mean = self._sum(lambda part: part) / self.count
        variance = self._sum(lambda part: (part - mean) ** 2) / self.count
        return float(mean), float(np.sqrt(variance))

    def _sum(self, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> np.float64:
        def tree(first: int, count: int) -> np.float64:
            if count <= PART:
                return np.float64(of(self._part(first, first + count)).sum())
            half = count // 2
            half -= half % 8
            return tree(first, half) + tree(first + half, count - half)

        return tree(0, self.count)

    def _part(self, first: int, last: int) -> NDArray[np.float64]:
        """Those from the number ``first`` to before ``last``."""
        start, stop = np.searchsorted(self._ends, (first + 1, last))  # the slots that hold them
        before = int(self._ends[start - 1]) if start else 0
        some = self._values[start : stop + 1][self._valid[start : stop + 1]]
        let_go(self._values)
        return some[first - before : last - before].astype(np.float64)
