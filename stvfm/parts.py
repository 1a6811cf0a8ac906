"""What is kept of a vision transformer when it becomes a backbone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What is kept of a vision transformer.

    Attributes:
        prefix: ``[1, R, D]``, class and register tokens with their positions added; R may be 0.
        positions: ``[1, N, D]`` of the token grid, row by row.
        before: What stands between the tokens and the blocks.
        patchifier: Makes tokens of the patches of a picture: kernels ``[D, 3, p, p]``, with a bias or without.
    """

    prefix: Tensor
    positions: Tensor
    before: nn.Module
    blocks: nn.Sequential
    norm: nn.Module
    patchifier: nn.Conv2d
