"""Scores a trained model, once on test, and proves that it did not look ahead."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.context import RunContext
from bench.errors import LeakError
from bench.metrics import FIELDS, Score, WindowSums
from bench.records.sample import Sample
from bench.records.window_errors import DayErrors, WindowErrors, pack, pack_day
from bench.task import Task
from bench.train import EVALUATION_BATCH, Forecaster, forecast_sums, physical_forecast, tensors_sha256
from bench.types import Window
from bench.windows import WindowSet

PROBES = 8
TOLERANCE = 1e-5  # of a scaled forecast; kernels of a GPU may differ in the last bits


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything a record says about a trained model.

    Attributes:
        sample: Without names of channel and unit; None if no test window has a value that counts at its last step.
    """

    scores: dict[str, dict[str, Score]]
    counts: dict[str, int]
    cost: dict[str, Any]
    certificate: dict[str, Any]
    windows: dict[str, Any]
    sample: Sample | None


def evaluate(
    model: nn.Module, task: Task, context: RunContext, *, precision: str = "auto", batch_size: int = EVALUATION_BATCH
) -> Evaluation:
    """Score ``model`` on validation and test. Opens the test targets, so it works once per task."""
    model.eval()
    score = partial(
        forecast_sums,
        mape_threshold=task.mape_threshold,
        clamp=task.settings.clamp,
        precision=precision,
        batch_size=batch_size,
    )
    checkpoint = tensors_sha256(model.state_dict())
    val = score(model, task.val)
    test_windows = task.open_test()
    perturbation = future_perturbation(model, test_windows)
    if perturbation["largest_change"] > TOLERANCE:
        raise LeakError(
            f"a forecast changed by {perturbation['largest_change']:g} when what follows its origin was replaced; "
            "the model sees the future, or its forecasts are not finite"
        )
    started = context.seconds()
    test = score(model, test_windows)
    elapsed = context.seconds() - started
    return Evaluation(
        scores={"test": test.scores(), "val": val.scores()},
        counts={**task.counts(), "test_values": test.count},
        cost={
            "parameters": sum(p.numel() for p in model.parameters()),
            "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "flops": forward_flops(model, task.val),
            "ms_per_window": 1000 * elapsed / len(test_windows),
            "windows_per_s": len(test_windows) / elapsed,
            "peak_mb": context.peak_megabytes(),
        },
        certificate={
            "future_perturbation": perturbation,
            "scaler_fitted_on": list(task.scaler.fitted_on),
            "scaler": task.scaler.kind,
            "split": {name: list(getattr(task.split, name)) for name in ("train", "val", "test")},
            "origins": task.first_origins(),
            "test_reads": task.test_reads,
            "checkpoint_sha256": checkpoint,
        },
        windows={**pack(_window_errors(test, test_windows)), "day": pack_day(day_errors(test, test_windows))},
        sample=forecast_sample(model, test_windows, test, score, clamp=task.settings.clamp),
    )


def _window_errors(sums: WindowSums, windows: WindowSet) -> WindowErrors:
    return WindowErrors(
        per_day=windows.per_day,
        origins=windows.origins.cpu().numpy(),
        count=sums.per_window("count"),
        absolute=sums.per_window("absolute"),
        square=sums.per_window("square"),
    )


def day_errors(sums: WindowSums, windows: WindowSet) -> DayErrors:
    """Errors by the slot of the day that was forecast, over all windows and steps."""
    steps = windows.origins[:, None] + torch.arange(windows.horizon, device=windows.origins.device)  # [N, F]
    slots = windows.clock[steps, 0].cpu().numpy().ravel()

    def by_slot(field: str) -> NDArray[np.float64]:
        weights = sums.sums[..., FIELDS.index(field)].sum(axis=2).ravel()
        return np.bincount(slots, weights, windows.per_day).astype(np.float64)

    return DayErrors(count=by_slot("count"), absolute=by_slot("absolute"))


def sampled_window(sums: WindowSums) -> int | None:
    """The position that ``bench.records.sample.RULE`` chooses; None if nothing counts at any last step."""
    last = sums.sums[:, -1, 0]  # [N, 8]
    totals = np.where(last[:, FIELDS.index("count")] > 0, last[:, FIELDS.index("target")], -np.inf)
    return int(totals.argmax()) if np.isfinite(totals).any() else None


def forecast_sample(
    model: Forecaster, windows: WindowSet, sums: WindowSums, score: Callable[..., WindowSums], *, clamp: bool
) -> Sample | None:
    """The chosen window forecast once more, alone, in the precision of the scores."""
    position = sampled_window(sums)
    if position is None:
        return None
    one = torch.tensor([position], device=windows.origins.device)
    kept: list[torch.Tensor] = []

    def watched(window: Window) -> torch.Tensor:
        kept.append(model(window))
        return kept[-1]

    score(watched, replace(windows, origins=windows.origins[one], begins=windows.begins[one]))
    forecast = physical_forecast(kept[0].float(), windows.scaler, clamp=clamp)[0, -1, 0]
    target, origin = windows.target(one), int(windows.origins[position])
    slot, weekday = windows.clock[origin + windows.horizon - 1].tolist()
    return Sample(
        origin=origin,
        step=windows.horizon,
        slot=slot,
        per_day=windows.per_day,
        weekday=weekday,
        channel="",
        unit="",
        truth=torch.where(target.valid, target.values, math.nan)[0, -1, 0].double().cpu().numpy(),
        forecast=forecast.double().cpu().numpy(),
    )


def future_perturbation(model: nn.Module, windows: WindowSet) -> dict[str, float | int]:
    """Replace everything from a window's origin on and compare the forecasts.

    Returns:
        The number of windows probed and the largest change of a scaled forecast, which is 0 for a model that sees the
        past only.
    """
    chosen = sorted({round(place) for place in np.linspace(0, len(windows) - 1, PROBES)})
    change = 0.0
    with torch.inference_mode():
        for position in chosen:
            one = torch.tensor([position], device=windows.origins.device)
            origin = int(windows.origins[position])
            values = windows.values.clone()
            values[origin:] = values[origin:].flip(0) + 1000 * windows.scaler.scale
            perturbed = replace(windows, values=values)
            before, after = model(windows.window(one)), model(perturbed.window(one))
            change = max(change, float((before - after).abs().max().nan_to_num(nan=math.inf)))
    return {"windows": len(chosen), "largest_change": change}


def forward_flops(model: nn.Module, windows: WindowSet) -> int:
    """Floating-point operations of one window's forecast, as torch counts them."""
    with FlopCounterMode(display=False) as counter:  # needs the autograd graph to follow modules
        model(windows.window(torch.zeros(1, dtype=torch.long, device=windows.origins.device)))
    return int(counter.get_total_flops())
