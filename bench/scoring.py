"""Forecasts of a split and their errors, as exact sums."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bench.forecast import Sampling, forecasts
from bench.metrics import FIELDS, WindowSums
from bench.settings import Precision
from bench.types import Window
from bench.windows import Scaler, WindowSet

EVALUATION_BATCH = 64


def forecast_sums(
    model: Callable[[Window], Tensor],
    windows: WindowSet,
    *,
    mape_threshold: float,
    clamp: bool = False,
    precision: Precision = "auto",
    batch_size: int = EVALUATION_BATCH,
    sampling: Sampling | None = None,
    seen: Callable[[Tensor, Tensor], None] = lambda chosen, scaled: None,  # noqa: ARG005
) -> WindowSums:
    """Forecast every window and reduce the errors to exact sums, in physical units.

    Args:
        model: Maps a window to scaled forecasts.
        windows: Those of one split.
        mape_threshold: As for ``window_sums``.
        clamp: As for ``physical_forecast``.
        precision: What the model calculates in.
        batch_size: Windows at once.
        sampling: How a model is asked that is random on purpose; None for any other.
        seen: Called with the positions ``[B]`` and the scaled forecasts ``[B, F, C, H, W]`` of each batch.

    Raises:
        ForecastError: If the model returns anything else than a forecast of each window.
    """
    with torch.inference_mode():
        rows = []
        for chosen in windows.positions(batch_size):
            target, valid = windows.target(chosen)
            scaled = forecasts(model, windows, chosen, precision, sampling)
            seen(chosen, scaled)
            forecast = physical_forecast(scaled, windows.scaler, clamp=clamp)
            rows.append(window_sums(forecast, target, valid, mape_threshold))
        return WindowSums(torch.cat(rows).cpu().numpy())


def window_sums(forecast: Tensor, target: Tensor, valid: Tensor, mape_threshold: float) -> Tensor:
    """Sums over the grid of one batch.

    Args:
        forecast: ``[B, F, C, H, W]``, physical units.
        target: Same shape, physical units.
        valid: Same shape, bool.
        mape_threshold: MAPE counts targets with ``|y| >= threshold`` only, and never one of 0.

    Returns:
        ``[B, F, C, S]`` float64, the last axis as in ``bench.metrics.FIELDS``, on the same device.
    """
    truth = torch.where(valid, target, 0).double()
    error = torch.where(valid, forecast.double() - truth, 0)
    count = valid.flatten(3).sum(-1)
    mean = truth.flatten(3).sum(-1) / count.clamp_min(1)  # [B, F, C]
    spread = torch.where(valid, truth - mean[..., None, None], 0) ** 2
    large = valid & (truth.abs() >= mape_threshold) & (truth != 0)
    ratio = torch.where(large, error.abs() / truth.abs().where(large, 1), 0)
    parts = {
        "count": valid.double(),
        "absolute": error.abs(),
        "square": error**2,
        "target": truth,
        "target_absolute": truth.abs(),
        "target_spread": spread,
        "ratio": ratio,
        "ratio_count": large.double(),
    }
    return torch.stack([parts[name].flatten(3).sum(-1) for name in FIELDS], dim=-1)


def physical_forecast(scaled: Tensor, scaler: Scaler, *, clamp: bool) -> Tensor:
    """Undo the scaling; with ``clamp``, clip to the range the scaler was fitted on."""
    forecast = scaler.physical(scaled)
    return forecast.clamp(scaler.low, scaler.high) if clamp else forecast
