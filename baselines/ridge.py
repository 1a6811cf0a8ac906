"""Ridge: the linear forecast of every cell from its own history and the calendar, in closed form.

Hoerl and Kennard, "Ridge Regression", Technometrics 1970: a vector autoregression whose cells do not see each other.
A cell's input is its history in all channels, a 1 for the slot of day and a 1 for the day of week of the first step to
forecast; its output is all its channels at all steps. Sums are taken in float64 and solved by Cholesky on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.config import tunable
from bench.types import Series, TaskShape, Window

DAYS: Final = 7
CHUNK: Final = 256  # windows added at once


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of ridge.

    Attributes:
        penalty: Of the squared weights, per training window; the history is standardised, so one size fits all.
        calendar: Whether a cell has a level for every slot of day and day of week.
    """

    penalty: float = tunable(1e-3, low=1e-5, high=1.0, log=True)
    calendar: bool = True


class Model(nn.Module):
    """One matrix per cell; NaN until it is fitted, so that a forgotten fit cannot pass for a forecast."""

    weights: Tensor

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape, self.config = shape, config
        inputs = shape.history * shape.channels + (shape.slots_per_day + DAYS if config.calendar else 1)
        outputs = shape.horizon * shape.channels
        self.register_buffer("weights", torch.full((shape.cells, inputs, outputs), torch.nan))

    def fit(self, series: Series) -> None:
        """Solve ``(X'X + penalty N) W = X'Y`` for every cell, over the windows whose target was observed throughout.

        They are the task's training windows, none of which crosses a gap in time.
        """
        cells, inputs, outputs = self.weights.shape
        gram = torch.zeros(cells, inputs, inputs, dtype=torch.float64, device=series.values.device)
        cross = torch.zeros(cells, inputs, outputs, dtype=torch.float64, device=series.values.device)
        count = torch.zeros(cells, 1, 1, dtype=torch.float64, device=series.values.device)
        for origins in torch.split(series.origins, CHUNK):
            x, y, seen = self._examples(series, origins)  # [H*W, B, inputs], [H*W, B, outputs], [H*W, B, 1]
            x, y = x.double() * seen, y.double() * seen
            gram += x.mT @ x
            cross += x.mT @ y
            count += seen.sum(1, keepdim=True)
        ridge = self.config.penalty * count.clamp_min(1) * torch.eye(inputs, dtype=gram.dtype, device=gram.device)
        factor = torch.linalg.cholesky(gram + ridge)
        self.weights.copy_(torch.cholesky_solve(cross, factor))

    def forward(self, window: Window) -> Tensor:
        x = self._inputs(window.history, window.horizon_clock[:, 0])  # [H*W, B, inputs]
        forecast = (x @ self.weights).transpose(0, 1)  # [B, H*W, F*C]
        return forecast.mT.reshape(len(forecast), self.shape.horizon, self.shape.channels, *self.shape.grid)

    def _examples(self, series: Series, origins: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, targets and whether all of the target was observed, of windows by their origins."""
        past = origins[:, None] + torch.arange(-self.shape.history, 0, device=origins.device)
        future = origins[:, None] + torch.arange(self.shape.horizon, device=origins.device)
        x = self._inputs(series.values[past], series.clock[future[:, 0]])
        seen = series.mask[future].flatten(3).all(dim=(1, 2))  # [B, H*W]
        return x, _by_cell(series.values[future]), seen.T[..., None].double()

    def _inputs(self, history: Tensor, clock: Tensor) -> Tensor:
        """``[B, P, C, H, W]`` and ``[B, 2]`` to ``[H*W, B, inputs]``."""
        values = _by_cell(history)
        known = torch.ones(len(history), 1, device=history.device)
        if self.config.calendar:
            slot, day = clock.unbind(-1)
            known = torch.cat((functional.one_hot(slot, self.shape.slots_per_day), functional.one_hot(day, DAYS)), -1)
        return torch.cat((values, known.to(values).expand(len(values), -1, -1)), dim=-1)


def _by_cell(frames: Tensor) -> Tensor:
    """``[B, T, C, H, W]`` to ``[H*W, B, T*C]``."""
    return frames.flatten(3).flatten(1, 2).permute(2, 0, 1)
