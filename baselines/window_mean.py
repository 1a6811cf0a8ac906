"""Window mean: every forecast step is the mean of the history steps that were observed.

Called "HA" in UniST's tables (KDD 2024), where it averages the six steps of the history. Where no value of the history
was observed, the training mean of the channel stands in.
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
    """Mean over the history, per channel and cell."""

    def __init__(self, shape: TaskShape, config: Config) -> None:  # noqa: ARG002 - every model is built the same way
        super().__init__()
        self.horizon = shape.horizon

    def forward(self, window: Window) -> Tensor:
        observed = torch.where(window.history_valid, window.history, 0)
        mean = observed.sum(dim=1, keepdim=True) / window.history_valid.sum(dim=1, keepdim=True).clamp_min(1)
        return mean.repeat(1, self.horizon, 1, 1, 1)
