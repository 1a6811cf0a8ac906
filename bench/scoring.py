"""Forecasts of a split and their errors, as exact sums."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import torch
from torch import Tensor

from bench.forecast import Sampling, forecasts
from bench.frozen import cast_once
from bench.metrics import FIELDS, WindowSums
from bench.settings import Precision
from bench.task import Task
from bench.types import Window
from bench.windows import Scaler, WindowSet

EVALUATION_BATCH = 64
PROBES: Final = 8  # windows of each split that are audited alone,
PROBED: Final = 4  # or one of so many of few windows
BATCHES: Final = 3  # the first, the middle and the last, that they are in
SUMMED: Final = 2**16  # values at a time on a CPU
KEPT: Final = 2**22  # values of a batch that are kept, of a larger one at some cells alone; and of a series at a time

Seen: TypeAlias = Callable[[Tensor, Tensor], None]


def nobody(chosen: Tensor, forecast: Tensor) -> None:
    """Sees forecasts where nobody wants them."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A split as it was scored, with the few forecasts that the audit compares.

    Attributes:
        windows: Those of the split.
        sums: Of their errors.
        positions: Of the probes ``[K]``: single windows spread over the first, the middle and the last batch.
        forecasts: Of the probes, scaled, ``[K, F, C, H, W]``.
        batches: Positions ``[B]`` and scaled forecasts ``[B, F, C, cells]`` of these three batches, where kept.
        cells: Those that batches are kept at, as places in ``[H * W]``; None for all.
        by_cell: Sums by cell; None where they were not asked for.
    """

    windows: WindowSet
    sums: WindowSums
    positions: Tensor
    forecasts: Tensor
    batches: tuple[tuple[Tensor, Tensor], ...] = ()
    cells: Tensor | None = None
    by_cell: CellSums | None = None

    def tensors(self) -> dict[str, Tensor]:
        """Sums and probes, for a checkpoint."""
        return {"sums": torch.from_numpy(self.sums.sums), "positions": self.positions, "forecasts": self.forecasts}

    @classmethod
    def of_tensors(cls, windows: WindowSet, tensors: Mapping[str, Tensor], device: torch.device) -> Scored:
        """The split of these windows from what ``tensors`` gave, without batches and cells."""
        sums = WindowSums(tensors["sums"].numpy())
        positions, forecasts = (tensors[name].to(device) for name in ("positions", "forecasts"))
        return cls(windows=windows, sums=sums, positions=positions, forecasts=forecasts)

    def at_cells(self, forecast: Tensor) -> Tensor:
        """Of forecasts ``[B, F, C, H, W]`` a copy of what is kept of batches."""
        return _at(self.cells, forecast)


def score(
    model: Callable[[Window], Tensor],
    windows: WindowSet,
    task: Task,
    *,
    precision: Precision = "auto",
    sampling: Sampling | None = None,
    batch_size: int = EVALUATION_BATCH,
    keep_batches: bool = False,
    by_cell: bool = False,
    seen: Seen = nobody,
) -> Scored:
    """Forecast every window of a split of this task, in training and after it alike.

    Args:
        model: In evaluation mode.
        windows: Those of the split.
        task: Says which values count, and how.
        precision: As for ``forecast_sums``.
        sampling: As for ``forecast_sums``.
        batch_size: Windows at once.
        keep_batches: Whether to keep three batches beside the probes.
        by_cell: Whether to sum the errors of each cell, too.
        seen: Called with the positions ``[B]`` and the forecasts ``[B, F, C, H, W]`` of each batch, physical units.

    Raises:
        ForecastError: If the model returns anything else than a forecast of each window.
    """
    keeper = _Keeper(windows, batch_size, whole=keep_batches)
    cells = CellSums(windows, task) if by_cell else None
    sums = forecast_sums(
        model,
        windows,
        mape_threshold=task.mape_threshold,
        clamp=task.settings.clamp,
        precision=precision,
        batch_size=batch_size,
        sampling=sampling,
        seen=keeper.keep,
        seen_physical=seen,
        cells=cells,
    )
    return replace(keeper.scored(sums), by_cell=cells)


class CellSums:
    """Sums of the errors of a split by cell, and by window over those cells that are idle.

    Where units differ between channels, errors are divided by their channel's scale, as the task's scaler has it.

    Attributes:
        idle: ``[H, W]`` bool, as ``idle_cells`` says.
        sums: ``[3, H, W]`` float64: the number of values that count, their absolute and their squared errors, over all
            steps, channels and windows.
    """

    def __init__(self, windows: WindowSet, task: Task) -> None:
        self.idle = idle_cells(windows, task.split["train"])
        self.sums = windows.values.new_zeros((3, *windows.values.shape[2:]), dtype=torch.float64)
        self._scale = windows.scaler.scale.double() if task.card.units_differ else None
        self._rows: list[Tensor] = []

    @property
    def of_idle(self) -> Tensor:
        """``[N]`` float64: absolute errors over all steps and channels of the idle cells of each window."""
        return torch.cat(self._rows)

    def add(self, forecast: Tensor, target: Tensor, valid: Tensor) -> None:
        """Of one batch ``[B, F, C, H, W]``, physical units, as for ``window_sums``; batches come in their order."""
        for guess, truth, counts in _pieces(forecast, target, valid):
            error = torch.where(counts, guess.double() - truth.double(), 0).abs_()
            error = error if self._scale is None else error / self._scale
            absolute = error.sum((1, 2))  # [B, H, W]
            self.sums += torch.stack([counts.sum((0, 1, 2)), absolute.sum(0), error.square_().sum((0, 1, 2))])
            self._rows.append((absolute * self.idle).sum((1, 2)))


def idle_cells(windows: WindowSet, training: tuple[int, int]) -> Tensor:
    """Where nothing happens: each channel has one and the same value in the training split wherever one is known.

    Args:
        windows: Those of the split that is scored, whose series begins before.
        training: Half-open range of slots.

    Returns:
        ``[H, W]`` bool.
    """
    values, valid = (array[slice(*training)] for array in (windows.values, windows.valid))
    low, high = (values.new_full(values.shape[1:], bound) for bound in (math.inf, -math.inf))
    slots = max(1, KEPT // low.numel())
    for some, known in zip(torch.split(values, slots), torch.split(valid, slots), strict=True):
        low = torch.minimum(low, torch.where(known, some, math.inf).amin(0))
        high = torch.maximum(high, torch.where(known, some, -math.inf).amax(0))
    return (low == high).all(0)


class _Keeper:
    """Keeps few forecasts of a split that is being scored."""

    def __init__(self, windows: WindowSet, batch_size: int, *, whole: bool) -> None:
        self.windows, self.whole = windows, whole
        batches = windows.positions(batch_size)
        last, parts = len(batches) - 1, range(BATCHES)
        self.kept = {round(last * part / (BATCHES - 1)) for part in parts}  # numbers of batches
        several = {number: batches[number] for number in sorted(self.kept)}
        rows = _probes([len(batch) for batch in several.values()])
        self.rows = {number: row.to(windows.origins.device) for number, row in zip(several, rows, strict=True)}
        self.positions = torch.cat([batch[self.rows[number]] for number, batch in several.items()])
        self.cells = _cells(windows, len(batches[0]))
        self.seen, self.probes, self.batches = 0, list[Tensor](), list[tuple[Tensor, Tensor]]()

    def keep(self, chosen: Tensor, scaled: Tensor) -> None:
        """Called with every batch, in their order."""
        if self.seen in self.kept:
            self.probes.append(scaled[self.rows[self.seen]])  # a mask of a device would have to be waited for
            if self.whole:
                self.batches.append((chosen, _at(self.cells, scaled)))
        self.seen += 1

    def scored(self, sums: WindowSums) -> Scored:
        return Scored(
            windows=self.windows,
            sums=sums,
            positions=self.positions,
            forecasts=torch.cat(self.probes),
            batches=tuple(self.batches),
            cells=self.cells,
        )


def _probes(sizes: list[int]) -> list[Tensor]:
    """Of batches of these sizes the rows that are probed, spread over all of them, on the CPU."""
    there = sum(sizes)
    spread = torch.linspace(0, there - 1, min(PROBES, math.ceil(there / PROBED))).round().long()
    first, rows = 0, []
    for size in sizes:
        rows.append(spread[(spread >= first) & (spread < first + size)] - first)
        first += size
    return rows


def _cells(windows: WindowSet, batch: int) -> Tensor | None:
    """So many cells, drawn once, that a batch has few enough values at them; None if it has so at all."""
    channels, height, width = windows.values.shape[1:]
    count = max(1, KEPT // (batch * windows.horizon * channels))
    if count >= height * width:
        return None
    drawn = torch.randperm(height * width, generator=torch.Generator().manual_seed(0))[:count]
    return drawn.sort().values.to(windows.origins.device)


def _at(cells: Tensor | None, forecast: Tensor) -> Tensor:
    """A copy of ``[B, F, C, H, W]`` at these cells, ``[B, F, C, cells]``."""
    frames = forecast.flatten(3)
    return frames.clone() if cells is None else frames[..., cells]


def forecast_sums(
    model: Callable[[Window], Tensor],
    windows: WindowSet,
    *,
    mape_threshold: float,
    clamp: bool = False,
    precision: Precision = "auto",
    batch_size: int = EVALUATION_BATCH,
    sampling: Sampling | None = None,
    seen: Seen = nobody,
    seen_physical: Seen = nobody,
    cells: CellSums | None = None,
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
        seen_physical: Likewise, with the forecasts as they are scored.
        cells: What else sums the errors; None for nothing.

    Raises:
        ForecastError: If the model returns anything else than a forecast of each window.
    """

    def forecast_of(chosen: Tensor) -> Tensor:
        scaled = forecasts(model, windows, chosen, precision, sampling)
        seen(chosen, scaled)
        forecast = physical_forecast(scaled, windows.scaler, clamp=clamp)
        seen_physical(chosen, forecast)
        return forecast

    with cast_once(model, windows.origins.device, precision), torch.inference_mode():
        return sums_of(forecast_of, windows, mape_threshold=mape_threshold, batch_size=batch_size, cells=cells)


def sums_of(
    forecast_of: Callable[[Tensor], Tensor],
    windows: WindowSet,
    *,
    mape_threshold: float,
    batch_size: int = EVALUATION_BATCH,
    cells: CellSums | None = None,
) -> WindowSums:
    """Exact sums of the errors of forecasts, wherever they come from.

    Args:
        forecast_of: The forecasts ``[B, F, C, H, W]`` of the windows at positions ``[B]``, in physical units; asked for
            batch by batch, in their order.
        windows: Those of one split.
        mape_threshold: As for ``window_sums``.
        batch_size: Windows at once.
        cells: As for ``forecast_sums``.
    """
    rows = []
    for chosen in windows.positions(batch_size):
        target, valid = windows.target(chosen)
        forecast = forecast_of(chosen)
        rows.append(window_sums(forecast, target, valid, mape_threshold))
        if cells:
            cells.add(forecast, target, valid)
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
    return torch.cat([_summed(*piece, mape_threshold=mape_threshold) for piece in _pieces(forecast, target, valid)])


def _pieces(*batch: Tensor) -> list[tuple[Tensor, ...]]:
    """A batch ``[B, ...]`` of each, cut so that what is between two steps stays in a CPU's cache; whole on a GPU."""
    size = max(1, len(batch[0]) if batch[0].is_cuda else SUMMED // batch[0][0].numel())
    return list(zip(*(torch.split(part, size) for part in batch), strict=True))


def _summed(forecast: Tensor, target: Tensor, valid: Tensor, *, mape_threshold: float) -> Tensor:
    """As ``window_sums``, all at once."""
    counts = valid.flatten(3)  # [B, F, C, H*W]
    truth = torch.where(counts, target.flatten(3), 0).double()
    error = torch.where(counts, forecast.flatten(3).double() - truth, 0).abs_()
    size = truth.abs()
    large = counts & (size >= mape_threshold) & (truth != 0)
    count, total = counts.sum(-1), truth.sum(-1)
    mean = total / count.clamp_min(1)  # [B, F, C]
    parts = {
        "count": count.double(),
        "absolute": error.sum(-1),
        "square": error.square().sum(-1),
        "target": total,
        "target_absolute": size.sum(-1),
        "target_spread": truth.sub_(mean[..., None]).square_().mul_(counts).sum(-1),
        "ratio": error.div_(size).masked_fill_(~large, 0).sum(-1),
        "ratio_count": large.sum(-1).double(),
    }
    return torch.stack([parts[name] for name in FIELDS], dim=-1)


def physical_forecast(scaled: Tensor, scaler: Scaler, *, clamp: bool) -> Tensor:
    """Undo the scaling; with ``clamp``, clip to the range the scaler was fitted on."""
    forecast = scaler.physical(scaled)
    return forecast.clamp(scaler.low, scaler.high) if clamp else forecast
