"""Squares of cells as one token: for models whose tokens cost too much to give every cell its own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Squares:
    """Cuts a grid of any size into squares of cells, the last row and column padded, and puts it together again."""

    grid: tuple[int, int]
    side: int

    @property
    def count(self) -> int:
        """Squares N of the whole grid."""
        height, width = (-(-size // self.side) for size in self.grid)
        return height * width

    def cut(self, frames: Tensor) -> Tensor:
        """``[B, K, H, W]`` to ``[B, N, K*side*side]``, row by row; padding is 0."""
        bottom, right = (-size % self.side for size in self.grid)
        padded = functional.pad(frames, (0, right, 0, bottom))
        return functional.pixel_unshuffle(padded, self.side).flatten(2).mT

    def paste(self, squares: Tensor) -> Tensor:
        """``[B, N, K*side*side]`` to ``[B, K, H, W]``: the inverse of ``cut``."""
        height, width = self.grid
        rows = -(-height // self.side)
        coarse = squares.mT.reshape(*squares.mT.shape[:2], rows, -1)  # [B, K*side*side, h, w]
        frames = functional.pixel_shuffle(coarse, self.side)
        return frames[..., :height, :width]


def squares(grid: tuple[int, int], side: int, most: int) -> Squares:
    """Squares of this side, or of the smallest power of two that leaves at most so many of them if it is 0."""
    found = Squares(grid=grid, side=side or 1)
    while not side and found.count > most:
        found = Squares(grid=grid, side=2 * found.side)
    return found
