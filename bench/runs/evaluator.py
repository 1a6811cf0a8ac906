"""Scores a trained model, once on test, and audits it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from bench.context import RunContext, flags_kept
from bench.errors import ForecastError
from bench.forecast import Sampling, copied, sampling_of
from bench.metrics import Score, WindowSums
from bench.records.arrays import ForecastMap, WindowErrors
from bench.records.forecast_audit import ForecastAudit
from bench.records.inputs import Inputs
from bench.runs.arrays import forecast_map, window_errors
from bench.runs.audit import Auditor
from bench.runs.flops import FlopCounter, counted_once
from bench.runs.inputs import inputs_read
from bench.scoring import EVALUATION_BATCH, Scored, Seen, nobody, score
from bench.settings import Precision, TrainSettings
from bench.task import Task
from bench.train import Training, comparable, learning, make_model, tensors_sha256, train_model
from bench.transfer import Transfer
from bench.types import ModelPlugin
from bench.windows import WindowSet

Keep: TypeAlias = Callable[[Task, WindowSet], Seen]
"""Who keeps forecasts: given the task and the windows of test once, then the forecasts of each batch."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What is measured of a trained model.

    Attributes:
        scores: By "test" and "val", then by metric.
        test_values: Target values on test that count.
        seconds: To forecast the test windows.
        peak_mb: Peak memory, as ``RunContext.peak_megabytes`` gives it.
        flops: Floating-point operations to forecast one window.
        audit: What the audit of the model shows.
        checkpoint_sha256: Digest of the scored weights.
        inputs: What the model reads beside the history.
        forecast_map: None if no test window has a value that counts at its last step.
    """

    scores: dict[str, dict[str, Score]]
    test_values: int
    seconds: float
    peak_mb: float | None
    flops: int
    audit: ForecastAudit
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
    elsewhere: Callable[..., Any] | None = None,
    flops_file: Path | None = None,
    keep: Keep | None = None,
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
        elsewhere: Calls a function in a fresh process, for the audit.
        flops_file: Where the operations of such a model are kept, so that they are counted once.
        keep: Who keeps the forecasts of test.
    """
    with flags_kept():
        context.begin()
        started = context.seconds()
        task = open_task()
        model, fresh = _made(plugin, config, task, context, compiled=compiled)
        preparing = context.seconds() - started
        sampling = sampling_of(plugin, context.seed)
        if task.sources:
            make = partial(make_model, plugin, config, device=context.device)
            transfer = Transfer(make=make, settings=train, context=context, sampling=sampling)
            training = transfer.train(model, task, checkpoint, on_epoch)
        else:
            training = train_model(
                model, task, train, context, sampling=sampling, checkpoint=checkpoint, on_epoch=on_epoch
            )
        trained = context.seconds()
        measure = partial(
            evaluate, val=training.val, sampling=sampling, elsewhere=elsewhere, flops_file=flops_file, keep=keep
        )
        evaluation = measure(model, task, context, precision=train.precision, fresh=_trained_copy(fresh, model))
        seconds = preparing + training.seconds + context.seconds() - trained
        return RunOutcome(model=model, task=task, training=training, evaluation=evaluation, seconds=seconds)


def _made(
    plugin: ModelPlugin, config: Mapping[str, Any], task: Task, context: RunContext, *, compiled: bool
) -> tuple[nn.Module, nn.Module]:
    """A model, and a copy of it for the audit, which is not compiled."""
    model = make_model(plugin, config, task.shape, context.device)
    fresh = copied(model)
    if compiled:
        torch.use_deterministic_algorithms(True, warn_only=True)  # of the compiler, too
        model.compile()  # in place: names of weights stay, and so do checkpoints
    return model, fresh


def _trained_copy(untrained: nn.Module, model: nn.Module) -> nn.Module:
    """A copy of the trained model that has forecast nothing: one made before training, with the weights of now.

    Raises:
        ForecastError: If it has no place for them.
    """
    if learning(model) != "steps":
        return copied(model)
    try:
        untrained.load_state_dict(model.state_dict())
    except RuntimeError as error:
        raise ForecastError(
            "the model's weights and buffers after training are not those that it was built with; make all of them in "
            "__init__, of the size that they keep"
        ) from error
    return untrained


@dataclass
class _Timed:
    """Someone who sees forecasts, and the seconds that this takes, which are not the model's."""

    seen: Seen
    context: RunContext
    seconds: float = 0.0

    def __call__(self, chosen: torch.Tensor, forecast: torch.Tensor) -> None:
        started = self.context.seconds()
        self.seen(chosen, forecast)
        self.seconds += self.context.seconds() - started


@dataclass(frozen=True, kw_only=True)
class _Scoring:
    """Validation and test as they were scored.

    Attributes:
        seconds: To forecast the windows of test.
        checkpoint: Digest of the weights before.
        changed: Whether it is another one after.
    """

    val: Scored
    test: Scored
    seconds: float
    checkpoint: str
    changed: bool


def evaluate(
    model: nn.Module,
    task: Task,
    context: RunContext,
    *,
    precision: Precision = "auto",
    batch_size: int = EVALUATION_BATCH,
    val: Scored | None = None,
    fresh: nn.Module | None = None,
    sampling: Sampling | None = None,
    elsewhere: Callable[..., Any] | None = None,
    flops_file: Path | None = None,
    keep: Keep | None = None,
) -> Evaluation:
    """Score ``model`` on validation and test, then audit it. Opens the test targets, so it works once per task.

    Args:
        model: With its weights.
        task: Its windows.
        context: Seed and device.
        precision: What it calculates in.
        batch_size: Windows forecast at once.
        val: Validation as training scored it with these weights; None scores it.
        fresh: A copy with the same weights that has forecast nothing; None makes one.
        sampling: How a model is asked that is random on purpose; None for any other.
        elsewhere: Calls a function in a fresh process, for the audit; None leaves it in this one.
        flops_file: As for ``run_model``.
        keep: As for ``run_model``.

    Raises:
        ForecastError: If a forecast is of the wrong kind or not finite.
        AuditError: If a forecast depends on more than its window.
    """
    fresh = (copied(model) if fresh is None else fresh).eval()
    ask = partial(score, task=task, precision=precision, sampling=sampling, batch_size=batch_size)
    scoring = _scored(model.eval(), task, context, ask, val, keep)
    auditor = Auditor(
        model=model, fresh=fresh, precision=precision, context=context, sampling=sampling, elsewhere=elsewhere
    )
    audit = auditor.check(scoring.val, scoring.test, changed=scoring.changed)
    flops = counted_once(flops_file, partial(forward_flops, fresh, task.val))
    return _measured(model, task, context, ask, scoring, audit, flops)


def _scored(
    model: nn.Module,
    task: Task,
    context: RunContext,
    ask: Callable[..., Scored],
    val: Scored | None,
    keep: Keep | None,
) -> _Scoring:
    """Forecast test, and validation if that was not done.

    Raises:
        ForecastError: If a forecast is not finite.
    """
    checkpoint = tensors_sha256(model.state_dict())
    val = val or ask(model, task.val)
    windows = task.open_test()
    kept = _Timed(keep(task, windows), context) if keep else None
    started = context.seconds()
    test = ask(model, windows, keep_batches=True, by_cell=True, seen=kept or nobody)
    seconds = context.seconds() - started - (kept.seconds if kept else 0.0)
    _check_finite(val.sums, test.sums)
    return _Scoring(
        val=val,
        test=test,
        seconds=seconds,
        checkpoint=checkpoint,
        changed=tensors_sha256(model.state_dict()) != checkpoint,
    )


def _measured(
    model: nn.Module,
    task: Task,
    context: RunContext,
    ask: Callable[..., Scored],
    scoring: _Scoring,
    audit: ForecastAudit,
    flops: int,
) -> Evaluation:
    val, test, windows = scoring.val.sums, scoring.test.sums, scoring.test.windows
    pooled = not task.card.units_differ
    return Evaluation(
        scores={name: sums.scores(pooled=pooled) for name, sums in (("test", test), ("val", val))},
        test_values=test.count,
        seconds=scoring.seconds,
        peak_mb=context.peak_megabytes(),
        flops=flops,
        audit=audit,
        checkpoint_sha256=scoring.checkpoint,
        windows=window_errors(comparable(test, task), windows, scoring.test.by_cell),
        inputs=inputs_read(model, task),
        forecast_map=forecast_map(model, windows, test, ask, task.card, clamp=task.settings.clamp),
    )


def _check_finite(*splits: WindowSums) -> None:
    if not all(np.isfinite(split.sums).all() for split in splits):
        raise ForecastError(
            "the model's forecasts are not all finite, on validation or on test; look for a division by zero, a "
            "logarithm or a root"
        )


def forward_flops(model: nn.Module, windows: WindowSet) -> int:
    """Floating-point operations of one window's forecast, as torch counts them, before any compilation.

    The model must have forecast nothing yet, since one that keeps what it made would do less.
    """
    with FlopCounter() as counter:  # with the autograd graph: without it, torch fuses layers into what has no formula
        model.forward(windows.window(torch.zeros(1, dtype=torch.long, device=windows.origins.device)))
    return int(counter.total)
