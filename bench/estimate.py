"""How long a plan will take, from runs that were measured: earlier ones in the store, or a short trial of each model.

The unit of work is one cell of one window passed forward once; a training step counts three times, for its backward
pass. Seconds per unit differ by model and machine, so they are measured, never assumed.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bench import registry
from bench.data import Catalog
from bench.errors import BenchError
from bench.settings import TrainSettings
from bench.spec import PlannedRun

if TYPE_CHECKING:
    import torch

TRIAL_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Rates by kind of run, and for a line that could not be tried the reason."""

    rates: Mapping[str, float]
    failures: Mapping[str, str]


def rates_from_records(records: Iterable[Mapping[str, Any]], device: str) -> dict[str, float]:
    """Median seconds per unit of work, by kind, over runs that were finished on a device of this name."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record["status"] == "done" and record["environment"]["device"] == device:
            found[_kind(record["spec"]["model"], record["spec"]["config"])].append(
                record["cost"]["wall_s"] / record["cost"]["work"]
            )
    return {kind: statistics.median(rates) for kind, rates in found.items()}


def kind(run: PlannedRun) -> str:
    """What runs must have in common to be equally fast: a model and all of its settings."""
    return _kind(run.model, run.spec.config)


def _kind(model: str, config: Mapping[str, Any]) -> str:
    return json.dumps([model, dict(config)], sort_keys=True)


def rates_from_trial(runs: Sequence[PlannedRun], catalog: Catalog, device: torch.device) -> Trial:
    """Seconds per unit of work, by kind, from a few training steps on the smallest planned data set each."""
    smallest: dict[str, PlannedRun] = {}
    for run in sorted(runs, key=lambda run: _cells(run, catalog)):
        smallest.setdefault(kind(run), run)
    rates, failures = {}, {}
    for name, run in smallest.items():
        try:
            rates[name] = _trial(run, catalog, device)
        except BenchError as error:  # such as absent weights: the run itself will say so, too
            failures[run.line] = str(error)
    return Trial(rates=rates, failures=failures)


def total_seconds(
    runs: Iterable[PlannedRun], rates: Mapping[str, float], catalog: Catalog, slots: Mapping[str, int]
) -> float:
    """Upper bound of the time of runs in sequence, leaving out kinds without a rate; ``slots`` are T by name."""
    known = (run for run in runs if kind(run) in rates)
    return sum(rates[kind(run)] * planned_work(run, catalog, slots[run.dataset]) for run in known)


def planned_work(run: PlannedRun, catalog: Catalog, slots: int) -> float:
    """Upper bound of the work of a run: early stopping may end it sooner, and a floor has no epochs."""
    windows = {"train": 0.7 * slots * run.spec.task.fraction, "val": 0.15 * slots, "test": 0.15 * slots}
    epochs = 0 if registry.role(run.model) == "floor" else run.spec.train.epochs
    return work(windows, run.spec.train, epochs, _cells(run, catalog))


def work(windows: Mapping[str, float], train: TrainSettings, epochs: int, cells: int) -> float:
    """Units of work of a run of ``epochs`` epochs, validating after each and scoring both splits at the end."""
    per_epoch = windows["train"]
    if train.steps_per_epoch:
        per_epoch = min(per_epoch, train.steps_per_epoch * train.batch_size)
    return cells * (epochs * (3 * per_epoch + windows["val"]) + windows["val"] + windows["test"])


def _cells(run: PlannedRun, catalog: Catalog) -> int:
    height, width = catalog.card(run.dataset).grid
    return height * width


def _trial(run: PlannedRun, catalog: Catalog, device: torch.device) -> float:
    from bench.context import RunContext
    from bench.task import Task
    from bench.train import Trainer, forecast_sums

    context = RunContext(seed=0, device=device)
    context.begin()
    module = registry.load("model", run.model)
    days_back = getattr(module, "DAYS_BACK", ())
    task = Task(catalog.load(run.dataset), run.spec.task, context.device, days_back=days_back, test_allowed=False)
    config = dict(run.spec.config)
    if config.get("weights") == "pretrained":  # random ones are as fast, and nothing is downloaded to make a guess
        config["weights"] = "random"
    model = module.Model(task.shape, module.Config(**config)).to(device)
    settings = replace(run.spec.train, epochs=1, steps_per_epoch=TRIAL_STEPS)
    started = context.seconds()
    if any(p.requires_grad for p in model.parameters()):
        Trainer(model, task, settings, context).run()
    else:
        forecast_sums(model, task.val, mape_threshold=task.mape_threshold)
    counts = {**task.counts(), "test": 0}
    epochs = 0 if registry.role(run.model) == "floor" else 1
    return (context.seconds() - started) / work(counts, settings, epochs, task.shape.cells)
