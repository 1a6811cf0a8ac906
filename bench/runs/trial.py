"""Trials: a few training steps and one batch of forecasts of a run, to see how fast such runs are on this machine."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.context import RunContext, flags_kept
from bench.records.planned import PlannedRun
from bench.runs.estimate import CHECKED_WINDOWS, TRIAL_STEPS, TRIAL_WINDOWS, Pace, passes, work
from bench.scoring import forecast_sums
from bench.settings import TrainSettings
from bench.task import Task
from bench.train import Trainer, learning, make_model
from bench.windows import WindowSet, spread

FITTED_SLOTS = 512  # of the series that a model is fitted to
LONG_S = 10.0  # of steps, or of a batch, that are so slow that fewer tell enough


def trial_pace(run: PlannedRun, catalog: Catalog, device: torch.device) -> Pace:
    """Seconds per unit of work of the whole run, put together from those of its parts."""
    context = RunContext(seed=0, device=device)
    with flags_kept(), context.own_random_numbers():
        context.begin()
        settings = replace(run.spec.task, sources="", scaler="train", fraction=run.spec.task.fraction or 1.0)
        task = Task(catalog.load(run.dataset), settings, device, test_allowed=False)
        return _pace(run, task, context)


def _pace(run: PlannedRun, task: Task, context: RunContext) -> Pace:
    module = registry.load("model", run.model)
    task = task.with_days(getattr(module, "DAYS_BACK", ()))
    config = dict(run.spec.config)
    if run.spec.reads_weights:  # random ones are as fast, and nothing is downloaded to make a guess
        config["weights"] = "random"
    started = context.seconds()
    model = make_model(module, config, task.shape, context.device).eval()
    fixed, step, trained = context.seconds() - started, 0.0, False
    if (how := learning(model)) == "fit":
        fixed += _fit_seconds(model, task, context)
    elif trained := how == "steps":
        step = _step_seconds(model, run.spec.train, task, context)
    windows, train, epochs = task.counts(), run.spec.train, run.spec.train.epochs if trained else 0
    steps, forecasts = passes(windows, train, epochs)
    seconds = fixed + steps * step + forecasts * _forward_seconds(model, train, task, context)
    pace = seconds / work(windows, train, epochs, task.shape.cells)
    return Pace(trained=trained, seconds={task.shape.cells * task.shape.channels: pace})


def _few(windows: WindowSet, count: int) -> WindowSet:
    """So many windows, from the first to the last."""
    chosen = spread(len(windows), count).tolist()
    return replace(windows, origins=windows.origins[chosen], begins=windows.begins[chosen])


def _fit_seconds(model: Any, task: Task, context: RunContext) -> float:
    """Scaled up from a part of the series."""
    whole = task.series
    slots = min(len(whole.values), max(FITTED_SLOTS, 4 * (task.shape.history + task.shape.horizon)))
    started = context.seconds()
    part = {name: getattr(whole, name)[:slots] for name in ("values", "clock", "mask")}
    model.fit(replace(whole, **part, origins=whole.origins[whole.origins <= slots - task.shape.horizon]))
    return (context.seconds() - started) * len(whole.values) / slots


class _EnoughError(Exception):
    """Steps took so long that no further one is needed."""


def _step_seconds(model: nn.Module, train: TrainSettings, task: Task, context: RunContext) -> float:
    """Per window trained on: epochs of one step, of which the first warms up, unless it alone takes long."""
    short = copy(task)
    short.val = _few(task.val, CHECKED_WINDOWS)
    settings = replace(train, epochs=TRIAL_STEPS, steps_per_epoch=1, patience=TRIAL_STEPS)
    times = [context.seconds()]

    def stepped(_row: object) -> None:
        times.append(context.seconds())
        if times[-1] - times[0] > LONG_S:
            raise _EnoughError

    with suppress(_EnoughError):
        Trainer(model, short, settings, context).run(on_epoch=stepped)
    measured = times[1:] if len(times) > 2 else times
    units = 3 * min(train.batch_size, len(task.train)) + len(short.val)
    return 3 * (measured[-1] - measured[0]) / (len(measured) - 1) / units


def _forward_seconds(model: nn.Module, train: TrainSettings, task: Task, context: RunContext) -> float:
    """Per window forecast: one window to warm up, then a batch, of fewer windows if that one took long."""
    count, seconds = 1, 0.0
    for _ in range(2):
        windows, started = _few(task.val, count), context.seconds()
        forecast_sums(
            model,
            windows,
            mape_threshold=task.mape_threshold,
            clamp=task.settings.clamp,
            precision=train.precision,
        )
        seconds = context.seconds() - started
        count = max(1, min(TRIAL_WINDOWS, int(LONG_S / seconds))) if seconds > 0 else TRIAL_WINDOWS
    return seconds / len(windows)
