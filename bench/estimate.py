"""How long a plan will take, from runs that were measured: earlier ones in the store, or a short trial of each model.

The unit of work is one cell of one window passed forward once; a training step counts three times, for its backward
pass. Seconds per unit differ by model and machine, so they are measured, never assumed.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench import registry
from bench.data import Catalog
from bench.settings import TrainSettings
from bench.spec import PlannedRun

TRIAL_STEPS = 3


def rates_from_records(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Median seconds per unit of work, by model, over finished runs."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record["status"] == "done":
            found[record["spec"]["model"]].append(record["cost"]["wall_s"] / record["cost"]["work"])
    return {model: statistics.median(rates) for model, rates in found.items()}


def rates_from_trial(runs: Sequence[PlannedRun], catalog: Catalog) -> dict[str, float]:
    """Seconds per unit of work, by model, from a few training steps on the smallest planned data set each."""
    smallest: dict[str, PlannedRun] = {}
    for run in sorted(runs, key=lambda run: _cells(run, catalog)):
        smallest.setdefault(run.model, run)
    return {model: _trial(run, catalog) for model, run in smallest.items()}


def total_seconds(runs: Iterable[PlannedRun], rates: Mapping[str, float], catalog: Catalog) -> float:
    """Upper bound of the time of runs one after the other; every model must have a rate."""
    return sum(rates[run.model] * planned_work(run, catalog) for run in runs)


def planned_work(run: PlannedRun, catalog: Catalog) -> float:
    """Upper bound of the work of a run: early stopping may end it sooner."""
    card = catalog.card(run.dataset)
    task = run.spec.task
    windows = {"train": 0.7 * card.slots * task.fraction, "val": 0.15 * card.slots, "test": 0.15 * card.slots}
    return work(windows, run.spec.train, run.spec.train.epochs, _cells(run, catalog))


def work(windows: Mapping[str, float], train: TrainSettings, epochs: int, cells: int) -> float:
    """Units of work of a run of ``epochs`` epochs, validating after each and scoring both splits at the end."""
    per_epoch = windows["train"]
    if train.steps_per_epoch:
        per_epoch = min(per_epoch, train.steps_per_epoch * train.batch_size)
    return cells * (epochs * (3 * per_epoch + windows["val"]) + windows["val"] + windows["test"])


def _cells(run: PlannedRun, catalog: Catalog) -> int:
    height, width = catalog.card(run.dataset).grid
    return height * width


def _trial(run: PlannedRun, catalog: Catalog) -> float:
    import torch

    from bench.context import RunContext
    from bench.task import Task
    from bench.train import Trainer

    context = RunContext(seed=0, device=torch.device("cpu"))
    context.begin()
    task = Task(catalog.load(run.dataset), run.spec.task, context.device, test_allowed=False)
    module = registry.load("model", run.model)
    model = module.Model(task.shape, module.Config(**run.spec.config))
    settings = replace(run.spec.train, epochs=1, steps_per_epoch=TRIAL_STEPS)
    started = time.perf_counter()
    if any(p.requires_grad for p in model.parameters()):
        Trainer(model, task, settings, context).run()
    else:
        model(task.val.window(task.val.positions(settings.batch_size)[0]))
    counts = {**task.counts(), "test": 0}
    return (time.perf_counter() - started) / work(counts, settings, 1, task.shape.cells)
