"""ST-ResNet: residual convolutions over the recent steps, the days before and the week before, fused cell by cell.

Zhang et al., "Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction", AAAI 2017. As in the paper:
three branches of one shape with own weights, residual units of two ReLU and convolution pairs, fusion by a weight per
element, an external part of two dense layers, and layers that begin as those of Keras, in which the authors wrote it.
What differs: all steps are forecast at once instead of one; the closeness is the task's history, the period the three
days before at the steps to forecast, and the trend the week before; the external part sees the calendar alone; the
weights of the fusion begin alike; no tanh at the end, since values are standardised and not bounded.

Where layers began as those of PyTorch, training often switched off all hidden values of the external part for good.

    X_b = Conv(ReLU(ResUnit^L(Conv(past_b))))    b in closeness, period, trend       [B, F*C, H, W]
    Y   = sum_b W_b . X_b + Dense(ReLU(Dense(calendar)))                             W_b [F*C, H, W]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import TaskShape, Window

DAYS_BACK: Final = (1, 2, 3, 7)
PERIOD: Final = 3  # of them; the rest is the trend
DAYS: Final = 7


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ST-ResNet.

    Attributes:
        width: Channels of the hidden maps.
        units: Residual units L of each branch.
        external: Values between the two dense layers of the external part; 0 leaves it out.
    """

    width: int = tunable(32, choices=(16, 32, 64))
    units: int = tunable(4, choices=(2, 4, 8, 12))
    external: int = tunable(10, choices=(0, 10, 20))


class Model(nn.Module):
    """Three branches, their weights, and the calendar."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape = shape
        outputs = shape.horizon * shape.channels
        steps = (shape.history, PERIOD * shape.horizon, (len(DAYS_BACK) - PERIOD) * shape.horizon)
        self.branches = nn.ModuleList(_branch(count * shape.channels, outputs, config) for count in steps)
        self.weights = nn.Parameter(torch.full((len(steps), outputs, *shape.grid), 1 / len(steps)))
        self.external = _external(shape, config.external) if config.external else None
        self.apply(_begin)

    def forward(self, window: Window) -> Tensor:
        assert window.past is not None  # noqa: S101 - DAYS_BACK asks for it
        pasts = (window.history, window.past[:, :PERIOD].flatten(1, 2), window.past[:, PERIOD:].flatten(1, 2))
        maps = [branch(past.flatten(1, 2)) for branch, past in zip(self.branches, pasts, strict=True)]
        fused = (self.weights * torch.stack(maps, dim=1)).sum(dim=1)  # [B, 3, F*C, H, W] -> [B, F*C, H, W]
        forecast: Tensor = fused.reshape(-1, self.shape.horizon, self.shape.channels, *self.shape.grid)
        if self.external is None:
            return forecast
        known: Tensor = self.external(self._calendar(window.horizon_clock[:, 0]))
        return forecast + known.view_as(forecast)

    def _calendar(self, clock: Tensor) -> Tensor:
        """One-hot slot of day and day of week of the first step to forecast, ``[B, S + 7]``."""
        slot, day = clock.unbind(-1)
        parts = functional.one_hot(slot, self.shape.slots_per_day), functional.one_hot(day, DAYS)
        return torch.cat(parts, dim=-1).to(self.weights)


def _begin(layer: nn.Module) -> None:
    """Uniform weights by Glorot and Bengio (AISTATS 2010) and biases of 0, as layers of Keras begin."""
    if isinstance(layer, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # all of them have one


class ResidualUnit(nn.Module):
    """ReLU, convolution, ReLU, convolution, and the input added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        pairs = ((nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)) for _ in range(2))
        self.body = nn.Sequential(*(layer for pair in pairs for layer in pair))

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = self.body(hidden)
        return hidden + changed


def _branch(inputs: int, outputs: int, config: Config) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, config.width, 3, padding=1),
        *(ResidualUnit(config.width) for _ in range(config.units)),
        nn.ReLU(),
        nn.Conv2d(config.width, outputs, 3, padding=1),
    )


def _external(shape: TaskShape, hidden: int) -> nn.Sequential:
    outputs = shape.horizon * shape.channels * shape.cells
    return nn.Sequential(nn.Linear(shape.slots_per_day + DAYS, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
