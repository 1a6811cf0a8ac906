"""From features back to values: what is trained behind the branches.

Letters as in ``bench.types``; p patch side, N tokens, D the width of all branches together, K hidden values of a cell.
A head maps features ``[B, N, D]`` and the clock ``[B, F, 2]`` of the steps to forecast to values ``[B, F*C, H, W]``.
"""

from __future__ import annotations

from torch import Tensor, nn

from bench.types import TaskShape

from .adapters import DAYS, Patching, embedding
from .config import Config


class LinearHead(nn.Module):
    """Every token gives the values of its cells by one linear map."""

    def __init__(self, shape: TaskShape, patching: Patching, width: int) -> None:
        super().__init__()
        self.patching = patching
        self.out = nn.Linear(width, shape.horizon * shape.channels * patching.patch**2)

    def forward(self, features: Tensor, clock: Tensor, frames: Tensor | None = None) -> Tensor:  # noqa: ARG002 - as below
        return self.patching.paste(self.out(features))


class CellHead(nn.Module):
    """Every token gives each of its cells K hidden values; identity, calendar and an MLP make them a forecast.

    What a cell's forecast knows of any history came through the tokens. The first step to forecast tells the calendar
    of all, since they are consecutive.
    """

    def __init__(self, shape: TaskShape, patching: Patching, width: int, config: Config) -> None:
        super().__init__()
        self.patching = patching
        hidden = config.hidden
        self.unfold = nn.Linear(width, hidden * patching.patch**2)
        self.layers = nn.Sequential(*(ResidualMLP(hidden, config.dropout) for _ in range(config.layers)))
        self.out = nn.Linear(hidden, shape.horizon * shape.channels)
        self.series = nn.Linear(shape.history * shape.channels, hidden) if config.series else None
        self.cell = embedding(shape.cells, hidden) if config.identity else None
        self.slot = embedding(shape.slots_per_day, hidden) if config.calendar else None
        self.day = embedding(DAYS, hidden) if config.calendar else None

    def forward(self, features: Tensor, clock: Tensor, frames: Tensor | None = None) -> Tensor:
        cells = self.patching.paste(self.unfold(features)).flatten(2).mT  # [B, N, K*p*p] -> [B, K, H, W] -> [B, H*W, K]
        if self.series is not None and frames is not None:
            cells = cells + self.series(frames.flatten(3).flatten(1, 2).mT)  # [B, steps, C, H, W] -> [B, H*W, steps*C]
        if self.cell is not None:
            cells = cells + self.cell
        if self.slot is not None and self.day is not None:
            slot, day = clock[:, 0].unbind(-1)
            cells = cells + (self.slot[slot] + self.day[day])[:, None]
        forecast: Tensor = self.out(self.layers(cells))  # [B, H*W, F*C]
        return forecast.mT.reshape(len(clock), -1, *self.patching.grid)


class ResidualMLP(nn.Module):
    """Norm, linear, GELU, dropout, linear, and the input added."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = self.body(hidden)
        return hidden + changed
