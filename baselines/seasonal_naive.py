"""Seasonal naive: what was at the same slot of the day one day or one week before.

The naive forecast of a seasonal series (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice"). Where the
horizon is longer than the season, the last season before the origin is repeated; where the data begin later than that,
the training mean of the channel stands in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn

from bench.types import TaskShape, Window

ROLE: Final = "naive"
DAYS_BACK: Final = (1, 7)
PRESETS: Final = {"seasonal_naive_day": {"days": 1}, "seasonal_naive_week": {"days": 7}}


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of the seasonal naive forecast.

    Attributes:
        days: Length of the season.
    """

    days: int = 1

    def __post_init__(self) -> None:
        """Check the season.

        Raises:
            ValueError: If it is neither a day nor a week.
        """
        if self.days not in (1, 7):
            raise ValueError(f"days={self.days} must be 1 or 7")


class Model(nn.Module):
    """The past that the window brings."""

    def __init__(self, shape: TaskShape, config: Config) -> None:  # noqa: ARG002 - every model is built the same way
        super().__init__()
        self.season = DAYS_BACK.index(config.days)

    def forward(self, window: Window) -> Tensor:
        assert window.past is not None  # noqa: S101 - DAYS_BACK asks for it
        return window.past[:, self.season]
