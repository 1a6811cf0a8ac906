"""Exact metrics from float64 sums: the same whatever the batch size, order or sharding.

A batch is reduced to sums per window, step and channel. The sums of all windows are then added in window order, once,
so that nothing depends on where a batch ended. RMSE is the root of the pooled mean square, never a mean of roots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

METRICS = ("mae", "rmse", "mape", "wape", "r2")
FIELDS = ("count", "absolute", "square", "target", "target_square", "target_absolute", "ratio", "ratio_count")


class Score(TypedDict):
    """One metric in three cuts; None where nothing was counted."""

    overall: float | None
    per_step: list[float | None]
    per_channel: list[float | None]


@dataclass(frozen=True)
class WindowSums:
    """Sums per window.

    Attributes:
        sums: ``[N, F, C, 8]`` float64, the last axis as in ``FIELDS``.
    """

    sums: NDArray[np.float64]

    def scores(self) -> dict[str, Score]:
        """Every metric overall, per step and per channel; MAPE and WAPE in percent."""
        total = self.sums.sum(axis=0)  # [F, C, 8]
        overall = _metrics(total.sum(axis=(0, 1)))
        steps = [_metrics(row) for row in total.sum(axis=1)]
        channels = [_metrics(row) for row in total.sum(axis=0)]
        return {
            name: Score(
                overall=overall[name],
                per_step=[step[name] for step in steps],
                per_channel=[channel[name] for channel in channels],
            )
            for name in METRICS
        }

    @property
    def count(self) -> int:
        """Number of target values that count."""
        return int(self.sums[..., 0].sum())

    def per_window(self, field: str) -> NDArray[np.float64]:
        """One of ``FIELDS``, summed over steps and channels, ``[N]``."""
        found: NDArray[np.float64] = self.sums[..., FIELDS.index(field)].sum(axis=(1, 2))
        return found


def window_sums(
    forecast: torch.Tensor, target: torch.Tensor, valid: torch.Tensor, mape_threshold: float
) -> torch.Tensor:
    """Sums over the grid of one batch.

    Args:
        forecast: ``[B, F, C, H, W]``, physical units.
        target: Same shape, physical units.
        valid: Same shape, bool.
        mape_threshold: MAPE counts targets with ``|y| >= threshold`` only.

    Returns:
        ``[B, F, C, 8]`` float64, on the same device.
    """
    truth = torch.where(valid, target, 0).double()
    error = torch.where(valid, forecast.double() - truth, 0)
    large = valid & (truth.abs() >= mape_threshold)
    ratio = torch.where(large, error.abs() / truth.abs().clamp_min(1e-12), 0)
    parts = (valid.double(), error.abs(), error**2, truth, truth**2, truth.abs(), ratio, large.double())
    return torch.stack([part.flatten(3).sum(-1) for part in parts], dim=-1)


def _metrics(sums: NDArray[np.float64]) -> dict[str, float | None]:
    count, absolute, square, target, target_square, target_absolute, ratio, ratio_count = (float(s) for s in sums)
    if count == 0:
        return dict.fromkeys(METRICS)
    spread = target_square - target**2 / count
    return {
        "mae": absolute / count,
        "rmse": float(np.sqrt(square / count)),
        "mape": 100 * ratio / ratio_count if ratio_count else None,
        "wape": 100 * absolute / target_absolute if target_absolute else None,
        "r2": 1 - square / spread if spread > 0 else None,
    }
