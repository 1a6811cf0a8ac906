"""The arrays of a record: errors of every window and by time of day, and one forecast beside its truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from bench.metrics import FIELDS, WindowSums
from bench.records.arrays import DayErrors, ForecastMap, WindowErrors, stored
from bench.scoring import Scored, physical_forecast
from bench.types import DatasetCard, Window
from bench.windows import WindowSet

if TYPE_CHECKING:
    from bench.scoring import CellSums


def window_errors(sums: WindowSums, windows: WindowSet, by_cell: CellSums | None = None) -> WindowErrors:
    """Errors of every window, by time of day and by cell, as a record holds them.

    Args:
        sums: Of the windows.
        windows: Those of test.
        by_cell: Of the same windows; None for a record without them.
    """
    return WindowErrors.of(
        per_day=windows.per_day,
        origins=windows.origins.cpu().numpy(),
        count=sums.per_window("count"),
        absolute=sums.per_window("absolute"),
        square=sums.per_window("square"),
        day=day_errors(sums, windows),
        cells=None if by_cell is None else cell_errors(by_cell),
    )


def cell_errors(by_cell: CellSums) -> dict[str, NDArray[np.float64]]:
    """What ``bench.records.arrays.CellErrors.of`` takes."""
    count, absolute, square = by_cell.sums.cpu().numpy()
    idle, of_idle = by_cell.idle.double().cpu().numpy(), by_cell.of_idle.cpu().numpy()
    return {"count": count, "absolute": absolute, "square": square, "idle": idle, "idle_absolute": of_idle}


def day_errors(sums: WindowSums, windows: WindowSet) -> DayErrors:
    """Errors by the slot of the day that was forecast, over all windows and steps."""
    steps = windows.origins[:, None] + torch.arange(windows.horizon, device=windows.origins.device)  # [N, F]
    slots = windows.clock[steps, 0].cpu().numpy().ravel()

    def by_slot(field: str) -> NDArray[np.float64]:
        weights = sums.sums[..., FIELDS.index(field)].sum(axis=2).ravel()
        return np.bincount(slots, weights, windows.per_day).astype(np.float64)

    return DayErrors.of(count=by_slot("count"), absolute=by_slot("absolute"))


def busiest_window(sums: WindowSums) -> int | None:
    """The position that ``bench.records.arrays.RULE`` chooses; None if nothing counts at any last step."""
    last = sums.sums[:, -1, 0]  # [N, S]
    totals = np.where(last[:, FIELDS.index("count")] > 0, last[:, FIELDS.index("target")], -np.inf)
    return int(totals.argmax()) if np.isfinite(totals).any() else None


def forecast_map(
    model: Callable[[Window], torch.Tensor],
    windows: WindowSet,
    sums: WindowSums,
    ask: Callable[..., Scored],
    card: DatasetCard,
    *,
    clamp: bool,
) -> ForecastMap | None:
    """The busiest window forecast once more, alone, in the precision of the scores."""
    position = busiest_window(sums)
    if position is None:
        return None
    one = torch.tensor([position], device=windows.origins.device)
    alone = replace(windows, origins=windows.origins[one], begins=windows.begins[one])
    scaled = ask(model, alone).forecasts
    forecast = physical_forecast(scaled, windows.scaler, clamp=clamp)[0]
    return map_of(forecast, windows, position, card)


def map_of(forecast: torch.Tensor, windows: WindowSet, position: int, card: DatasetCard) -> ForecastMap:
    """The last step of one window's forecast ``[F, C, H, W]``, physical units, beside its truth."""
    one = torch.tensor([position], device=windows.origins.device)
    (target, valid), origin = windows.target(one), int(windows.origins[position])
    slot, weekday = windows.clock[origin + windows.horizon - 1].tolist()
    truth = torch.where(valid, target, math.nan)[0, -1, 0]
    return ForecastMap(
        origin=origin,
        step=windows.horizon,
        slot=slot,
        per_day=windows.per_day,
        weekday=None if card.start is None else weekday,
        channel=card.channels[0],
        unit=card.units[0],
        grid=(truth.shape[0], truth.shape[1]),
        truth=stored(truth.double().cpu().numpy()),
        forecast=stored(forecast[-1, 0].double().cpu().numpy()),
    )
