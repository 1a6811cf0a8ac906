"""Tide: the last value, and a learned change for every slot of day."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of tide.

    Attributes:
        start: The change at first, of all slots.
    """

    start: float = tunable(0.0, low=-0.1, high=0.1)


class Model(nn.Module):
    """A table of changes."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.full((shape.slots_per_day, shape.channels, 1, 1), config.start))

    def forward(self, window: Window) -> Tensor:
        slot = window.horizon_clock[..., 0]  # [B, F]
        return window.history[:, -1:] + self.change[slot]  # [B, F, C, H, W]
