"""How long a plan will take, from runs that were measured: earlier ones in the store, or short trials.

The unit of work is one cell of one window passed forward once; a training step counts three times, for its backward
pass. Seconds per unit differ by model, settings, machine and size of the grid, so they are measured, never assumed.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.records.glance import DoneGlance, Glance
from bench.records.planned import PlannedRun
from bench.records.record import Cost, DoneRun, Record
from bench.records.spec import Spec
from bench.settings import TaskSettings, TrainSettings, chronological_split

TRIAL_STEPS = 3  # of training; the first warms up and is not measured
TRIAL_WINDOWS = 64  # passed forward, a batch of the evaluator's
CHECKED_WINDOWS = 4  # after each training step
SAME_SIZE = 2.0  # a frame of up to so many times the values, or as small a part of them, needs no trial of its own
LARGEST_SHARE = 0.07  # of the work whose time a trial predicts
TRIALS_S = 120.0  # seconds that all trials of a command may take


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast runs of one ``pace_key`` are.

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


def pace_key(spec: Spec) -> str:
    """What runs must have in common to be equally fast on one grid: a model, all of its settings, steps and batches."""
    task, train = spec.task, spec.train
    shapes = (task.history, task.horizon, task.days_back)
    shared = (spec.model, spec.config, *shapes, train.batch_size, train.precision)
    return msgspec.json.encode(shared, order="sorted").decode()


def shapes_of(runs: Iterable[PlannedRun], catalog: Catalog) -> dict[str, tuple[int, ...]]:
    """The shapes (T, C, H, W) of the data sets of these runs, by name, and of their sources."""
    names = (data.name for run in runs for data in run.spec.datasets)
    return {name: catalog.shape(name) for name in dict.fromkeys(names)}


def paces_from_records(records: Iterable[Record | Glance], device: str | None) -> dict[str, Pace]:
    """By ``pace_key`` the median over runs that were finished on a device of this name; None is any."""
    seconds: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    trained = {}
    for record in records:
        if record.spec.sources:  # of other grids, perhaps
            continue
        if isinstance(record, DoneRun | DoneGlance) and record.cost and device in (None, record.environment.device):
            with suppress(ArithmeticError, LookupError, ValueError):  # numbers that are of no run tell no pace
                values, pace = _measured(record, record.cost)
                key = pace_key(record.spec)
                seconds[key][values].append(pace)
                trained[key] = record.cost.epochs > 0
    return {
        key: Pace(trained=trained[key], seconds={size: statistics.median(times) for size, times in by_size.items()})
        for key, by_size in seconds.items()
    }


def _measured(record: DoneRun | DoneGlance, cost: Cost) -> tuple[int, float]:
    """The values of a frame (cells times channels), and the seconds per unit of work.

    Raises:
        ArithmeticError, LookupError, ValueError: If the record's numbers are not those of a run.
    """
    windows = {name: getattr(record.counts, name) for name in ("train", "per_epoch", "val", "test")}
    cells = round(cost.work / work(windows, record.spec.train, cost.epochs, cells=1))
    values, pace = cells * len(record.scores["test"]["mae"].per_channel), cost.wall_s / cost.work
    if values < 1 or not 0 < pace < math.inf:
        raise ValueError(f"{pace} s for a unit of work on {values} values")
    return values, pace


def trials(
    runs: Iterable[PlannedRun], paces: Mapping[str, Pace], shapes: Mapping[str, tuple[int, ...]], *, cheap: bool
) -> list[PlannedRun]:
    """The runs to try: of each ``pace_key`` one on the smallest grid, and one on the largest if that is much larger.

    First comes one of each model, from which its other settings can be guessed; then the others on the smallest, which
    tell something of every method; then those on the largest.

    A grid like one that ``paces`` know of is not tried again. With ``cheap``, neither are those whose trials would be
    more than a small share of their work, such as a single short run: the runs themselves will soon tell.
    """
    alike: dict[str, list[PlannedRun]] = defaultdict(list)
    for run in runs:
        alike[pace_key(run.spec)].append(run)
    tried: list[tuple[int, PlannedRun]] = []
    seen = {same[0].model for key, same in alike.items() if key in paces}  # models of which something is known
    for key, same in alike.items():
        trained = not registry.is_naive(same[0].model)
        wanted = _extremes(same, paces.get(key), shapes)
        price = sum(_trial_work(run, shapes[run.dataset], trained=trained) for run in wanted)
        whole = sum(planned_work(run, shapes, trained=trained) for run in same)
        if not cheap or price <= LARGEST_SHARE * whole:
            tried += ((2 if place else int(run.model in seen), run) for place, run in enumerate(wanted))
            seen |= {run.model for run in wanted}
    return [run for _, run in sorted(tried, key=lambda each: (each[0], each[1].dataset))]  # each is read twice at most


def _extremes(
    runs: Sequence[PlannedRun], known: Pace | None, shapes: Mapping[str, tuple[int, ...]]
) -> list[PlannedRun]:
    """The runs on the smallest and on the largest grid, of data sets with few slots, where not ``known``."""
    values_of = {name: math.prod(shape[1:]) for name, shape in shapes.items()}  # of one frame
    largest = max(runs, key=lambda run: (values_of[run.dataset], -shapes[run.dataset][0]))
    smallest = min(runs, key=lambda run: (values_of[run.dataset], shapes[run.dataset][0]))
    seen = list(known.seconds) if known else []
    extremes = []
    for run in (smallest, largest):
        values = values_of[run.dataset]
        if not any(1 / SAME_SIZE <= values / size <= SAME_SIZE for size in seen):
            extremes.append(run)
            seen.append(values)
    return extremes


def total_seconds(
    runs: Iterable[PlannedRun], paces: Mapping[str, Pace], shapes: Mapping[str, tuple[int, ...]]
) -> float:
    """Upper bound of the time of runs in sequence, leaving out those without a pace."""
    total = 0.0
    for run in runs:
        if pace := paces.get(pace_key(run.spec)):
            total += pace.on(math.prod(shapes[run.dataset][1:])) * planned_work(run, shapes, trained=pace.trained)
    return total


def guessed(
    runs: Iterable[PlannedRun], paces: Mapping[str, Pace], without: Iterable[str] = ()
) -> dict[str, tuple[str, Pace]]:
    """By ``pace_key`` of runs without a pace their model, and the mean pace of those of its settings that have one.

    Methods named by ``without`` are left out, and those of a model of which no pace is known.
    """
    models = {pace_key(run.spec): run.model for run in runs if run.method not in {*without}}
    known: dict[str, list[Pace]] = defaultdict(list)
    for key, model in models.items():
        if pace := paces.get(key):
            known[model].append(pace)
    means = {model: _mean(alike) for model, alike in known.items()}
    return {key: (model, means[model]) for key, model in models.items() if key not in paces and model in means}


def _mean(paces: Sequence[Pace]) -> Pace:
    sizes = {values for pace in paces for values in pace.seconds}
    seconds = {values: statistics.fmean(pace.on(values) for pace in paces) for values in sizes}
    return Pace(trained=any(pace.trained for pace in paces), seconds=seconds)


def cheapest_first(
    runs: Sequence[PlannedRun], paces: Mapping[str, Pace], shapes: Mapping[str, tuple[int, ...]]
) -> list[PlannedRun]:
    """Data set by data set, the runs that take the shortest first, those without a pace, which are short, before them.

    So there are soon many seeds of the cheap methods. Runs on data without a shape stay where they are.
    """
    position = {name: number for number, name in enumerate(dict.fromkeys(run.dataset for run in runs))}
    return sorted(
        runs,
        key=lambda run: (position[run.dataset], total_seconds([run], paces, shapes) if run.dataset in shapes else 0.0),
    )


def planned_work(run: PlannedRun, shapes: Mapping[str, tuple[int, ...]], *, trained: bool) -> float:
    """Upper bound of the work of a run: early stopping may end it sooner. ``shapes`` has its sources', too."""
    train, task, shape = run.spec.train, run.spec.task, shapes[run.dataset]
    epochs = train.epochs if trained else 0
    alone = replace(task, sources="", scaler="train", fraction=1.0)
    sources = [(_windows(alone, shapes[one.name]), math.prod(shapes[one.name][2:])) for one in run.spec.sources]
    own = work(_windows(task, shape), train, epochs if task.fraction else 0, math.prod(shape[2:]))
    return own + source_work(sources, train, epochs)


def _windows(task: TaskSettings, shape: tuple[int, ...]) -> dict[str, float]:
    """About how many windows a task has, by the names of ``Counts``."""
    split = chronological_split(shape[0])
    windows: dict[str, float] = {name: stop - start for name, (start, stop) in split.items()}
    few = windows["train"] * task.fraction
    windows |= {"train": few, "per_epoch": windows["train"] if task.equal_steps else few}
    windows["val"] *= task.fraction if task.windows == "last" else 1
    most = task.scored or math.inf
    return windows | {name: min(windows[name], most) for name in ("val", "test")}


def source_work(sources: Sequence[tuple[Mapping[str, float], int]], train: TrainSettings, epochs: int) -> float:
    """Units of work of the epochs on several sources, each given by its windows and the cells of its grid."""
    if not sources:
        return 0.0
    there = sum(windows["train"] for windows, _ in sources)
    steps = math.ceil(there / train.batch_size)
    trained = min(there, train.batch_size * min(train.steps_per_epoch or steps, steps))
    cells = sum(windows["train"] * cells for windows, cells in sources) / there
    return epochs * (3 * trained * cells + sum(windows["val"] * cells for windows, cells in sources))


def work(windows: Mapping[str, float], train: TrainSettings, epochs: int, cells: int) -> float:
    """Units of work of a run of ``epochs`` epochs, validating after each, or once without epochs, and testing."""
    trained, forecast = passes(windows, train, epochs)
    return cells * (3 * trained + forecast)


def passes(windows: Mapping[str, float], train: TrainSettings, epochs: int) -> tuple[float, float]:
    """How many windows a run trains on, and how many it forecasts."""
    if not epochs:
        return 0, windows["val"] + windows["test"]
    steps = math.ceil(windows["per_epoch"] / train.batch_size)
    steps = min(train.steps_per_epoch or steps, steps)
    whole, rest = divmod(steps, math.ceil(windows["train"] / train.batch_size))  # passes over the windows, and batches
    per_epoch = whole * windows["train"] + min(windows["train"], rest * train.batch_size)
    return epochs * per_epoch, epochs * windows["val"] + windows["test"]


def _trial_work(run: PlannedRun, shape: tuple[int, ...], *, trained: bool) -> float:
    steps = TRIAL_STEPS * (3 * run.spec.train.batch_size + CHECKED_WINDOWS) if trained else 0
    return math.prod(shape[2:]) * (steps + 1 + min(TRIAL_WINDOWS, run.spec.task.scored or math.inf))
