"""STID: an MLP per cell that knows which cell, slot of day and day of week it is.

Shao et al., "Spatial-Temporal Identity: A Simple yet Effective Baseline for Multivariate Time Series Forecasting",
CIKM 2022. What differs: a node is a grid cell, and all channels of a cell are input and output together; weight decay
and schedule are the harness's. Clock, widths, depth, dropout and initialisation follow the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.types import TaskShape, Window

DAYS = 7


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of STID.

    Attributes:
        width: Size of each of the four embeddings; the MLP is four times as wide.
        layers: Residual MLP layers.
        dropout: Rate inside each layer.
        identity: Whether it knows the cell; without it, all that it learns fits any grid.
    """

    width: int = tunable(32, choices=(16, 32, 64))
    layers: int = tunable(3, choices=(1, 2, 3, 4))
    dropout: float = tunable(0.15, low=0.0, high=0.4)
    identity: bool = True


class Model(nn.Module):
    """Series embedding and three identities (two without that of the cell), a residual MLP, a linear head."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        self.shape = shape
        hidden = (3 + config.identity) * config.width
        self.series = nn.Linear(shape.history * shape.channels, config.width)
        self.cell = _table(shape.cells, config.width) if config.identity else None
        self.slot = _table(shape.slots_per_day, config.width)
        self.day = _table(DAYS, config.width)
        self.layers = nn.Sequential(*(ResidualMLP(hidden, config.dropout) for _ in range(config.layers)))
        self.head = nn.Linear(hidden, shape.horizon * shape.channels)

    def forward(self, window: Window) -> Tensor:
        cells = window.history.flatten(3).flatten(1, 2).mT  # [B, P, C, H, W] -> [B, H*W, P*C]
        slot, day = window.history_clock[:, -1].unbind(-1)
        batch, count, _ = cells.shape
        parts = (
            self.series(cells),
            *(() if self.cell is None else (self.cell.expand(batch, -1, -1),)),
            self.slot[slot][:, None].expand(-1, count, -1),
            self.day[day][:, None].expand(-1, count, -1),
        )
        forecast: Tensor = self.head(self.layers(torch.cat(parts, dim=-1)))  # [B, H*W, F*C]
        return forecast.mT.reshape(batch, self.shape.horizon, self.shape.channels, *self.shape.grid)


class ResidualMLP(nn.Module):
    """Linear, ReLU, dropout, linear, and the input added."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width))

    def forward(self, hidden: Tensor) -> Tensor:
        changed: Tensor = self.body(hidden)
        return hidden + changed


def _table(rows: int, width: int) -> nn.Parameter:
    return nn.Parameter(nn.init.xavier_uniform_(torch.empty(rows, width)))
