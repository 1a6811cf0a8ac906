"""Features of several depths of a backbone as one.

Early blocks of a vision transformer know edges and textures, late ones objects. Which of them help a forecast is not
known beforehand, so it is learned.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DepthMix(nn.Module):
    """For each branch a trained mix of its features at every depth, which starts at those of the last."""

    def __init__(self, branches: int, depths: int) -> None:
        super().__init__()
        weights = torch.zeros(branches, depths)
        weights[:, -1] = 1.0
        self.weights = nn.Parameter(weights)

    def forward(self, at_depths: list[tuple[Tensor, ...]]) -> list[Tensor]:
        """Mix features ``[B, N, D]`` of every branch at every depth; where a body has fewer, its last counts again."""
        missing = self.weights.shape[1] - len(at_depths)
        whole = at_depths + at_depths[-1:] * missing
        return [
            torch.tensordot(weights, torch.stack(branch), dims=1)
            for weights, branch in zip(self.weights, zip(*whole, strict=True), strict=True)
        ]
