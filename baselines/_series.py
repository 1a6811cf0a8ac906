"""Series of single cells, for models that were made to forecast one series at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import torch
from torch import Tensor

from bench.errors import ConfigError
from bench.types import TaskShape, Window

WEEK: Final = (7, 6, 5, 4, 3, 2, 1)
Context = Literal["days", "both", "history"]


def check_context(model: str, context: Context, shape: TaskShape) -> None:
    """Refuse a context of days that the task withholds.

    Raises:
        ConfigError: If a day is missing.
    """
    if context != "history" and {*WEEK} - {*shape.days_back}:
        raise ConfigError(
            f"{model} continues the seven days before, and this task withholds some of them or has steps of weeks or "
            "months; leave the model out, or say model.context=history, which continues the history"
        )


def cell_by_cell(window: Window, context: Context, most: int, forecast: Callable[[Tensor], Tensor]) -> Tensor:
    """Forecast each channel of each cell by itself.

    Args:
        window: With ``past`` unless the context is the history alone.
        context: ``days``: the steps to forecast as they were on the seven days before, the longest ago first; ``both``:
            these and then the history; ``history``: the history.
        most: So many series ``[N, T]`` are forecast at a time.
        forecast: From series ``[n, T]``, NaN where nothing was observed, to ``[n, F]``.

    Returns:
        ``[B, F, C, H, W]``.
    """
    parts = []
    if context != "history":
        assert window.past is not None and window.past_valid is not None  # noqa: S101, PT018 - DAYS_BACK asks for it
        parts.append(torch.where(window.past_valid, window.past, torch.nan).flatten(1, 2))  # [B, K*F, C, H, W]
    if context != "days":
        parts.append(torch.where(window.history_valid, window.history, torch.nan))
    steps = torch.cat(parts, dim=1).movedim(1, -1)  # [B, C, H, W, T]
    series = steps.flatten(0, 3)
    ahead = torch.cat([forecast(few) for few in torch.split(series, max(1, most))])
    return ahead.view(*steps.shape[:-1], -1).movedim(-1, 1)
