"""Historical average: the training mean of the same slot of the week.

The seasonal naive baseline of traffic forecasting; it has no paper. One mean per slot of day, day of week, channel and
cell, over observed values only. Where a slot of the week was never observed, the mean of the slot of day over all days
stands in, then the cell's mean, then the channel's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from bench.types import Series, TaskShape, Window

ROLE: Final = "naive"
DAYS: Final = 7
CHUNK: Final = 64  # slots summed at once, so that float64 copies stay small


@dataclass(frozen=True, kw_only=True)
class Config:
    """Nothing to set."""


class Model(nn.Module):
    """A table of means; NaN until it is fitted, so that a forgotten fit cannot pass for a forecast."""

    table: Tensor

    def __init__(self, shape: TaskShape, config: Config) -> None:  # noqa: ARG002 - every model is built the same way
        super().__init__()
        self.slots_per_day = shape.slots_per_day
        empty = torch.full((DAYS * shape.slots_per_day, shape.channels, *shape.grid), torch.nan)
        self.register_buffer("table", empty)

    def fit(self, series: Series) -> None:
        """Average the training series, coarse to fine, each level standing in where the next was never observed."""
        totals, counts = self._sums(series)  # [7, S, C, H, W]
        mean = torch.zeros_like(totals[:1, :1])
        for dims in ((0, 1, 3, 4), (0, 1), (0,), ()):  # channel, cell, slot of day, slot of week
            total, count = _sum(totals, dims), _sum(counts, dims)
            mean = torch.where(count > 0, total / count.clamp(min=1), mean)
        self.table.copy_(mean.flatten(0, 1))

    def forward(self, window: Window) -> Tensor:
        return self.table[self._slot_of_week(window.horizon_clock)]  # [B, F] -> [B, F, C, H, W]

    def _sums(self, series: Series) -> tuple[Tensor, Tensor]:
        """Sums and counts of the observed values, float64 ``[7, S, C, H, W]`` each."""
        totals = torch.zeros_like(self.table, dtype=torch.float64)
        counts = torch.zeros_like(totals)
        for start in range(0, len(series.values), CHUNK):
            piece = slice(start, start + CHUNK)
            slots, mask = self._slot_of_week(series.clock[piece]), series.mask[piece]
            totals.index_add_(0, slots, series.values[piece].double().where(mask, 0.0))
            counts.index_add_(0, slots, mask.double())
        week = (DAYS, self.slots_per_day, *self.table.shape[1:])
        return totals.view(week), counts.view(week)

    def _slot_of_week(self, clock: Tensor) -> Tensor:
        return clock[..., 1] * self.slots_per_day + clock[..., 0]


def _sum(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Sum over these dimensions, keeping them; over none of them, unlike ``Tensor.sum(())``, which sums all."""
    return values.sum(dims, keepdim=True) if dims else values
