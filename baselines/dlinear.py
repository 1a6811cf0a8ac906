"""DLinear: a moving average and what is left of it, each continued by one linear map over time.

Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI 2023. A series is one channel of one cell,
and both maps are shared by all series, as in the authors' code with individual=False. The moving average repeats the
first and the last value at the borders. What differs: the authors' kernel of 25 steps is made for histories of 96 and
more; here it is the longest odd kernel that neither the setting nor the history exceeds, but at least 3, so that a
remainder is left. The clock is not used, as there.

    trend[t] = mean(x[t - k//2], ..., x[t + k//2])        forecast = A (x - trend) + a + B trend + b
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import TaskShape, Window


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of DLinear.

    Attributes:
        kernel: Longest kernel of the moving average, in steps; an even number counts as one less.
    """

    kernel: int = tunable(25, choices=(3, 7, 13, 25))


class Model(nn.Module):
    """Decomposition, and one linear map for each part."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.kernel = fitting_kernel(config.kernel, shape.history)
        self.remainder = nn.Linear(shape.history, shape.horizon)
        self.trend = nn.Linear(shape.history, shape.horizon)

    def forward(self, window: Window) -> Tensor:
        series = window.history.movedim(1, -1)  # [B, P, C, H, W] -> [B, C, H, W, P]
        trend = moving_average(series, self.kernel)
        forecast: Tensor = self.remainder(series - trend) + self.trend(trend)  # [B, C, H, W, F]
        return forecast.movedim(-1, 1)


def fitting_kernel(longest: int, history: int) -> int:
    """The longest odd kernel that neither ``longest`` nor ``history`` exceeds, but at least 3."""
    fits = min(longest, history)
    return max(3, fits - 1 + fits % 2)


def moving_average(series: Tensor, kernel: int) -> Tensor:
    """Mean of ``kernel`` steps around each step of ``[..., P]``; beyond the borders the outermost value goes on."""
    rows = series.flatten(0, -2)  # [R, P]
    padded = functional.pad(rows, (kernel // 2, kernel // 2), mode="replicate")
    return functional.avg_pool1d(padded, kernel, stride=1).view_as(series)
