"""Seasonal naive, one day: what was at the same slot of the day before.

The naive forecast of a seasonal series (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice"). Where the
horizon is longer than a day, the last day before the origin is repeated; where the data begin later than that, the
training mean of the channel stands in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from bench.types import TaskShape, Window

ROLE: Final = "floor"
DAYS_BACK: Final = (1,)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to set."""


class Model(nn.Module):
    """The past that the window brings."""

    def __init__(self, shape: TaskShape, config: Config) -> None:  # noqa: ARG002 - every model is built the same way
        super().__init__()

    def forward(self, window: Window) -> Tensor:
        assert window.past is not None  # noqa: S101 - DAYS_BACK asks for it
        return window.past[:, 0]
