"""Seasonal naive: what was at the same slot of the day on the last day, or on the same day of the last week.

Where a step is a week or a month, the day stands for the year: what was in the same week or month of the last year.

The naive forecast of a seasonal series (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice"). Where the
horizon is longer than the season, the last season before the origin is repeated. Where the value is missing, that of
the season before it stands in, up to seven days or four weeks ago; where none was observed, the training mean of the
channel does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from bench.errors import ConfigError
from bench.types import TaskShape, Window

ROLE: Final = "naive"
DAYS_BACK: Final = (1, 2, 3, 4, 5, 6, 7, 14, 21, 28)
SEASON_DAYS: Final = {1: DAYS_BACK[:7], 7: DAYS_BACK[6:]}  # where a season of so many days is looked for, in this order
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
    """The past that the window brings.

    Raises:
        ConfigError: If the task withholds it.
    """

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        days = [days for days in SEASON_DAYS[config.days] if days in shape.days_back]
        if not days:
            raise ConfigError(
                f"the seasonal naive forecast of {config.days} days needs what was {config.days} days before, and this "
                f"task withholds it or has steps of weeks or months; leave the model out, or name {config.days} in "
                "task.days_back"
            )
        self.seasons = [DAYS_BACK.index(each) for each in days]

    def forward(self, window: Window) -> Tensor:
        assert window.past is not None and window.past_valid is not None  # noqa: S101, PT018 - DAYS_BACK asks for it
        forecast = torch.zeros_like(window.past[:, 0])
        for season in reversed(self.seasons):
            forecast = torch.where(window.past_valid[:, season], window.past[:, season], forecast)
        return forecast
