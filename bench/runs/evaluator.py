"""Scores a trained model, once on test, and checks that it did not look ahead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.context import RunContext
from bench.errors import LeakError
from bench.metrics import FIELDS, Score, WindowSums
from bench.records.arrays import DayErrors, ForecastMap, WindowErrors, stored
from bench.records.inputs import Inputs
from bench.runs.inputs import inputs_read
from bench.settings import Precision, TrainSettings
from bench.task import Task
from bench.train import (
    EVALUATION_BATCH,
    Training,
    comparable,
    forecast_sums,
    make_model,
    physical_forecast,
    tensors_sha256,
    train_model,
)
from bench.types import DatasetCard, ModelPlugin, Window
from bench.windows import WindowSet

PROBES = 8
TOLERANCE = 1e-5  # of a scaled forecast; kernels of a GPU may differ in the last bits


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is measured of a trained model.

    Attributes:
        scores: By "test" and "val", then by metric.
        test_values: Target values on test that count.
        seconds: To forecast the test windows.
        peak_mb: Peak memory: of this run on a GPU, of the whole process on a CPU.
        flops: Floating-point operations to forecast one window.
        perturbation: The number of windows probed, and the largest change of a scaled forecast.
        checkpoint_sha256: Digest of the scored weights.
        inputs: What the model reads beside the history.
        forecast_map: None if no test window has a value that counts at its last step.
    """

    scores: dict[str, dict[str, Score]]
    test_values: int
    seconds: float
    peak_mb: float
    flops: int
    perturbation: tuple[int, float]
    checkpoint_sha256: str
    windows: WindowErrors
    inputs: Inputs
    forecast_map: ForecastMap | None


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """A run that ended well.

    Attributes:
        seconds: Of everything: the task and the model made, training over all sittings, scoring.
    """

    model: nn.Module
    task: Task
    training: Training
    evaluation: Evaluation
    seconds: float


def run_model(
    plugin: ModelPlugin,
    config: Mapping[str, Any],
    train: TrainSettings,
    open_task: Callable[[], Task],
    context: RunContext,
    *,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
    compiled: bool = False,
) -> RunOutcome:
    """Seed, make, train or fit, and score one model.

    Args:
        plugin: What makes the model.
        config: Its settings.
        train: The recipe.
        open_task: Opens the windows, under the run's seed.
        context: Seed and device.
        checkpoint: Where training that was stopped goes on from.
        on_epoch: Called with the row of the learning curve after each epoch.
        compiled: Whether to use torch.compile.
    """
    context.begin()
    started = context.seconds()
    task = open_task()
    model = make_model(plugin, config, task.shape, context.device)
    if compiled:
        model.compile()  # in place: names of weights stay, and so do checkpoints
    preparing = context.seconds() - started
    training = train_model(model, task, train, context, checkpoint=checkpoint, on_epoch=on_epoch)
    trained = context.seconds()
    evaluation = evaluate(model, task, context, precision=train.precision)
    seconds = preparing + training.seconds + context.seconds() - trained
    return RunOutcome(model=model, task=task, training=training, evaluation=evaluation, seconds=seconds)


def evaluate(
    model: nn.Module,
    task: Task,
    context: RunContext,
    *,
    precision: Precision = "auto",
    batch_size: int = EVALUATION_BATCH,
) -> Evaluation:
    """Score ``model`` on validation and test. Opens the test targets, so it works once per task.

    Raises:
        LeakError: If a forecast changes when what follows its origin is replaced.
    """
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
    windows = task.open_test()
    perturbation = _checked_perturbation(model, windows)
    started = context.seconds()
    test = score(model, windows)
    elapsed, pooled = context.seconds() - started, not task.card.units_differ
    return Evaluation(
        scores={name: sums.scores(pooled=pooled) for name, sums in (("test", test), ("val", val))},
        test_values=test.count,
        seconds=elapsed,
        peak_mb=context.peak_megabytes(),
        flops=forward_flops(model, task.val),
        perturbation=perturbation,
        checkpoint_sha256=checkpoint,
        windows=window_errors(comparable(test, task), windows),
        inputs=inputs_read(model, task),
        forecast_map=forecast_map(model, windows, test, score, task.card, clamp=task.settings.clamp),
    )


def window_errors(sums: WindowSums, windows: WindowSet) -> WindowErrors:
    """Errors of every window, and by time of day, as a record holds them."""
    return WindowErrors.of(
        per_day=windows.per_day,
        origins=windows.origins.cpu().numpy(),
        count=sums.per_window("count"),
        absolute=sums.per_window("absolute"),
        square=sums.per_window("square"),
        day=day_errors(sums, windows),
    )


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
    score: Callable[..., WindowSums],
    card: DatasetCard,
    *,
    clamp: bool,
) -> ForecastMap | None:
    """The busiest window forecast once more, alone, in the precision of the scores."""
    position = busiest_window(sums)
    if position is None:
        return None
    one = torch.tensor([position], device=windows.origins.device)
    forecasts: list[torch.Tensor] = []

    def watched(window: Window) -> torch.Tensor:
        forecasts.append(model(window))
        return forecasts[-1]

    score(watched, replace(windows, origins=windows.origins[one], begins=windows.begins[one]))
    forecast = physical_forecast(forecasts[0].float(), windows.scaler, clamp=clamp)[0, -1, 0]
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
        forecast=stored(forecast.double().cpu().numpy()),
    )


def _checked_perturbation(model: nn.Module, windows: WindowSet) -> tuple[int, float]:
    probed, change = future_perturbation(model, windows)
    if change > TOLERANCE:
        raise LeakError(
            f"a forecast changed by {change:g} when what follows its origin was replaced; the model sees the future, "
            "or its forecasts are not finite"
        )
    return probed, change


def future_perturbation(model: nn.Module, windows: WindowSet) -> tuple[int, float]:
    """Replace everything from a window's origin on and compare the forecasts.

    Returns:
        The number of windows probed and the largest change of a scaled forecast, which is 0 for a model that sees the
        past only.
    """
    chosen = sorted({round(position) for position in np.linspace(0, len(windows) - 1, PROBES)})
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
    return len(chosen), change


def forward_flops(model: nn.Module, windows: WindowSet) -> int:
    """Floating-point operations of one window's forecast, as torch counts them."""
    with FlopCounterMode(display=False) as counter:  # needs the autograd graph to follow modules
        model(windows.window(torch.zeros(1, dtype=torch.long, device=windows.origins.device)))
    return int(counter.get_total_flops())
