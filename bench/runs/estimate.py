"""How long a plan will take, from runs that were measured: earlier ones in the store, or a short trial of each kind.

The unit of work is one cell of one window passed forward once; a training step counts three times, for its backward
pass. Seconds per unit differ by model, settings, machine and size of the grid, so they are measured, never assumed.
"""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.runs.spec import PlannedRun
from bench.settings import TrainSettings

TRIAL_STEPS = 3  # of training; the first warms up and is not measured
TRIAL_WINDOWS = 64  # passed forward, a batch of the evaluator's
CHECKED_WINDOWS = 4  # after each training step
SAME_SIZE = 2.0  # a frame of up to so many times the values, or as small a part of them, needs no trial of its own
LARGEST_SHARE = 0.07  # of the work that a trial stands for


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast one kind of run is.

    Attributes:
        trained: Whether it has epochs of training.
        seconds: Per unit of work, by the values of the frames it was measured on (cells times channels); between two of
            them on the straight line, as for attention between all cells, and beyond them as on the nearest.
    """

    trained: bool
    seconds: Mapping[int, float]

    def on(self, values: int) -> float:
        known = sorted(self.seconds)
        return float(np.interp(values, known, [self.seconds[size] for size in known]))


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a data set is: slots, cells of its grid and values of one frame."""

    slots: int
    cells: int
    values: int


Paces = Mapping[str, Pace]
Sizes = Mapping[str, Size]


def kind(run: PlannedRun) -> str:
    """What runs must have in common to be equally fast on one grid: a model, all of its settings, steps and batches."""
    return _kind(run.spec.as_dict())


def _kind(spec: Mapping[str, Any]) -> str:
    task, train = spec["task"], spec["train"]
    sizes = [task["history"], task["horizon"], train["batch_size"], train["precision"]]
    return json.dumps([spec["model"], spec["config"], sizes], sort_keys=True)


def sizes_of(runs: Iterable[PlannedRun], catalog: Catalog) -> dict[str, Size]:
    """The sizes of the data sets of these runs, by name."""
    found = {}
    for name in dict.fromkeys(run.dataset for run in runs):
        slots, channels, height, width = catalog.load(name).values.shape
        found[name] = Size(slots=slots, cells=height * width, values=channels * height * width)
    return found


def paces_from_records(records: Iterable[Mapping[str, Any]], device: str) -> dict[str, Pace]:
    """By kind, the median over runs that were finished on a device of this name."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    trained = {}
    for record in records:
        if record["status"] == "done" and record["environment"]["device"] == device:
            name, cost = _kind(record["spec"]), record["cost"]
            train = TrainSettings(**record["spec"]["train"])
            cells = round(cost["work"] / work(record["counts"], train, cost["epochs"], cells=1))
            channels = len(record["scores"]["test"]["mae"]["per_channel"])
            found[name][cells * channels].append(cost["wall_s"] / cost["work"])
            trained[name] = cost["epochs"] > 0
    medians = {name: {size: statistics.median(all_) for size, all_ in by.items()} for name, by in found.items()}
    return {name: Pace(trained=trained[name], seconds=seconds) for name, seconds in medians.items()}


def trials(runs: Iterable[PlannedRun], paces: Paces, sizes: Sizes, *, cheap: bool) -> list[PlannedRun]:
    """The runs to try: of each kind one on the smallest grid, and one on the largest if that is much larger.

    A grid like one that ``paces`` know of is not tried again. With ``cheap``, neither is a kind whose trials would be
    more than a small share of its work, such as a single short run: the runs themselves will soon tell.
    """
    kinds: dict[str, list[PlannedRun]] = defaultdict(list)
    for run in runs:
        kinds[kind(run)].append(run)
    found = []
    for name, same in kinds.items():
        trained = registry.role(same[0].model) != "floor"
        wanted = _extremes(same, paces.get(name), sizes)
        price = sum(_trial_work(run, sizes[run.dataset], trained=trained) for run in wanted)
        whole = sum(planned_work(run, sizes[run.dataset], trained=trained) for run in same)
        if not cheap or price <= LARGEST_SHARE * whole:
            found += wanted
    return sorted(found, key=lambda run: run.dataset)  # one data set after the other, so that each is read once


def _extremes(runs: Sequence[PlannedRun], known: Pace | None, sizes: Sizes) -> list[PlannedRun]:
    """The runs on the smallest and on the largest grid, of data sets with few slots, where not ``known``."""
    largest = max(runs, key=lambda run: (sizes[run.dataset].values, -sizes[run.dataset].slots))
    smallest = min(runs, key=lambda run: (sizes[run.dataset].values, sizes[run.dataset].slots))
    seen = list(known.seconds) if known else []
    found = []
    for run in (smallest, largest):
        values = sizes[run.dataset].values
        if not any(1 / SAME_SIZE <= values / size <= SAME_SIZE for size in seen):
            found.append(run)
            seen.append(values)
    return found


def total_seconds(runs: Iterable[PlannedRun], paces: Paces, sizes: Sizes) -> float:
    """Upper bound of the time of runs in sequence, leaving out kinds without a pace."""
    total = 0.0
    for run in runs:
        if pace := paces.get(kind(run)):
            size = sizes[run.dataset]
            total += pace.on(size.values) * planned_work(run, size, trained=pace.trained)
    return total


def planned_work(run: PlannedRun, size: Size, *, trained: bool) -> float:
    """Upper bound of the work of a run: early stopping may end it sooner."""
    windows = {"train": 0.7 * size.slots * run.spec.task.fraction, "val": 0.15 * size.slots, "test": 0.15 * size.slots}
    return work(windows, run.spec.train, run.spec.train.epochs if trained else 0, size.cells)


def work(windows: Mapping[str, float], train: TrainSettings, epochs: int, cells: int) -> float:
    """Units of work of a run of ``epochs`` epochs, validating after each and scoring both splits at the end."""
    trained, forecast = passes(windows, train, epochs)
    return cells * (3 * trained + forecast)


def passes(windows: Mapping[str, float], train: TrainSettings, epochs: int) -> tuple[float, float]:
    """How many windows a run trains on, and how many it forecasts."""
    per_epoch = windows["train"]
    if train.steps_per_epoch:
        per_epoch = min(per_epoch, train.steps_per_epoch * train.batch_size)
    return epochs * per_epoch, epochs * windows["val"] + windows["val"] + windows["test"]


def _trial_work(run: PlannedRun, size: Size, *, trained: bool) -> float:
    steps = TRIAL_STEPS * (3 * run.spec.train.batch_size + CHECKED_WINDOWS) if trained else 0
    return size.cells * (steps + 1 + TRIAL_WINDOWS)
