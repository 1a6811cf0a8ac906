"""Last value: every forecast step repeats the last value of the history that was observed.

The persistence forecast, the naive baseline of every forecasting table; it has no paper and nothing to learn. Where no
value of the history was observed, the training mean of the channel stands in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from bench.types import TaskShape, Window

ROLE: Final = "naive"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to set."""


class Model(nn.Module):
    """Persistence."""

    def __init__(self, shape: TaskShape, config: Config) -> None:  # noqa: ARG002 - every model is built the same way
        super().__init__()
        self.horizon = shape.horizon

    def forward(self, window: Window) -> Tensor:
        return last_observed(window.history, window.history_valid)[:, None].repeat(1, self.horizon, 1, 1, 1)


def last_observed(values: Tensor, valid: Tensor) -> Tensor:
    """Of ``[B, P, C, H, W]`` the last value that is valid, ``[B, C, H, W]``; 0, the training mean, where none is."""
    steps = torch.arange(values.shape[1], device=values.device)[:, None, None, None]
    last = torch.where(valid, steps, -1).amax(dim=1, keepdim=True)
    return torch.where(last >= 0, values.gather(1, last.clamp_min(0)), 0)[:, 0]
