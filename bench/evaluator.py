"""Scores a trained model, once on test, and proves that it did not look ahead."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.context import RunContext
from bench.errors import LeakError
from bench.metrics import Score
from bench.task import Task
from bench.train import EVALUATION_BATCH, forecast_sums, tensors_sha256
from bench.window_errors import WindowErrors, pack
from bench.windows import WindowSet

PROBES = 8
TOLERANCE = 1e-5  # of a scaled forecast; kernels of a GPU may differ in the last bits


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything a record says about a trained model."""

    scores: dict[str, dict[str, Score]]
    counts: dict[str, int]
    cost: dict[str, Any]
    certificate: dict[str, Any]
    windows: dict[str, Any]


def evaluate(
    model: nn.Module, task: Task, context: RunContext, *, precision: str = "auto", batch_size: int = EVALUATION_BATCH
) -> Evaluation:
    """Score ``model`` on validation and test. Opens the test targets, so it works once per task."""
    model.eval()
    score = partial(
        forecast_sums,
        model,
        mape_threshold=task.mape_threshold,
        clamp=task.settings.clamp,
        precision=precision,
        batch_size=batch_size,
    )
    checkpoint = tensors_sha256(model.state_dict())
    val = score(task.val)
    test_windows = task.open_test()
    perturbation = future_perturbation(model, test_windows)
    if perturbation["largest_change"] > TOLERANCE:
        raise LeakError(
            f"a forecast changed by {perturbation['largest_change']:g} when what follows its origin was replaced; "
            "the model sees the future, or its forecasts are not finite"
        )
    started = context.seconds()
    test = score(test_windows)
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
        windows=pack(
            WindowErrors(
                per_day=task.shape.slots_per_day,
                origins=test_windows.origins.cpu().numpy(),
                count=test.per_window("count"),
                absolute=test.per_window("absolute"),
                square=test.per_window("square"),
            )
        ),
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
