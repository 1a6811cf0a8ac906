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

    from bench.context import RunContext
    from bench.task import Task

TRIAL_STEPS = 3
TRIAL_S = 1.0  # for which a model without training forecasts


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Seconds per unit of work, and whether there is training: a floor, say, has no epochs."""

    seconds: float
    trained: bool


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Rates by kind of run, and for a line that could not be tried the reason."""

    rates: Mapping[str, Rate]
    failures: Mapping[str, str]


def rates_from_records(records: Iterable[Mapping[str, Any]], device: str) -> dict[str, Rate]:
    """Median seconds per unit of work, by kind, over runs that were finished on a device of this name."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        if record["status"] == "done" and record["environment"]["device"] == device:
            found[_kind(record["spec"]["model"], record["spec"]["config"])].append(record["cost"])
    return {
        kind: Rate(
            seconds=statistics.median(cost["wall_s"] / cost["work"] for cost in costs),
            trained=any(cost["epochs"] for cost in costs),
        )
        for kind, costs in found.items()
    }


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
    runs: Iterable[PlannedRun], rates: Mapping[str, Rate], catalog: Catalog, slots: Mapping[str, int]
) -> float:
    """Upper bound of the time of runs in sequence, leaving out kinds without a rate; ``slots`` are T by name."""
    known = ((run, rates[kind(run)]) for run in runs if kind(run) in rates)
    return sum(
        rate.seconds * planned_work(run, catalog, slots[run.dataset], trained=rate.trained) for run, rate in known
    )


def planned_work(run: PlannedRun, catalog: Catalog, slots: int, *, trained: bool) -> float:
    """Upper bound of the work of a run: early stopping may end it sooner."""
    windows = {"train": 0.7 * slots * run.spec.task.fraction, "val": 0.15 * slots, "test": 0.15 * slots}
    return work(windows, run.spec.train, run.spec.train.epochs if trained else 0, _cells(run, catalog))


def work(windows: Mapping[str, float], train: TrainSettings, epochs: int, cells: int) -> float:
    """Units of work of a run of ``epochs`` epochs, validating after each and scoring both splits at the end."""
    per_epoch = windows["train"]
    if train.steps_per_epoch:
        per_epoch = min(per_epoch, train.steps_per_epoch * train.batch_size)
    return cells * (epochs * (3 * per_epoch + windows["val"]) + windows["val"] + windows["test"])


def _cells(run: PlannedRun, catalog: Catalog) -> int:
    height, width = catalog.card(run.dataset).grid
    return height * width


def _trial(run: PlannedRun, catalog: Catalog, device: torch.device) -> Rate:
    from bench.context import RunContext
    from bench.task import Task
    from bench.train import Trainer

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
    counts = {**task.counts(), "test": 0}
    started = context.seconds()
    trained = any(p.requires_grad for p in model.parameters())
    if trained:
        Trainer(model, task, settings, context).run()
    else:
        counts["val"] = _forecasts(model, task, context)
    done = work(counts, settings, int(trained), task.shape.cells)
    return Rate(seconds=(context.seconds() - started) / done, trained=trained)


def _forecasts(model: torch.nn.Module, task: Task, context: RunContext) -> int:
    """Forecast validation windows one by one until time is up or all are done; how many there were."""
    from bench.train import forecast_sums

    windows, count, started = task.val, 0, context.seconds()
    while count < len(windows) and context.seconds() - started < TRIAL_S:
        one = slice(count, count + 1)
        part = replace(windows, origins=windows.origins[one], begins=windows.begins[one])
        forecast_sums(model, part, mape_threshold=task.mape_threshold)
        count += 1
    return count
