"""Last value: every forecast step repeats the last step of the history.

The persistence forecast, the naive baseline of every forecasting table; it has no paper and nothing to learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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
        return window.history[:, -1:].repeat(1, self.horizon, 1, 1, 1)
