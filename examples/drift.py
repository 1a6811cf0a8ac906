"""Drift: the last value and a learned share of the last change, the same for all cells.

A baseline in one short file: 'stbench run --model ./drift.py' runs it, wherever it lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.types import TaskShape, Window


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to set."""


class Model(nn.Module):
    """One share per step to forecast and channel."""

    def __init__(self, shape: TaskShape, config: Config) -> None:  # noqa: ARG002 - every model is built the same way
        super().__init__()
        self.share = nn.Parameter(torch.zeros(shape.horizon, shape.channels, 1, 1))

    def forward(self, window: Window) -> Tensor:
        last, change = window.history[:, -1:], window.history[:, -1:] - window.history[:, -2:-1]
        return last + self.share * change  # [B, 1, C, H, W] and [F, C, 1, 1] to [B, F, C, H, W]
