"""What tables, figures and statistics are made of: groups of cells, and the keys by which they are known.

A group is everything that may be compared: one task, protocol, profile, recipe and set of shared settings. Its rows are
methods, its columns data sets, and a cell is the runs of one method on one data set, which differ in their seeds.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from bench.analysis.measures import SCALED
from bench.analysis.table import Flag
from bench.catalog.titles import dataset_title
from bench.metrics import METRICS
from bench.plain_text import counted
from bench.records.record import DoneRun, Record
from bench.records.spec import changes
from bench.runs.profiles import PROFILES
from bench.settings import FROM_FILE

CHANGE = re.compile(r"(?:^|, )(?:[a-z_.]+=|tuned settings|bf16)")  # the beginning of one among others


@dataclass(frozen=True, kw_only=True)
class Run:
    """A record as tables see it.

    It is stale if other code than today's made it; ``asked`` is as ``bench.runs.own_code.asked_at`` has it, or 0.
    """

    record: Record
    stale: bool = False
    asked: int = 0

    @cached_property
    def data(self) -> DataKey:
        data = self.record.spec.data
        title = dataset_title(data.name, self.record.label.dataset_title)
        return DataKey(data.name, data.synthetic, data.version, data.sha256, title=title)

    @cached_property
    def changed(self) -> frozenset[str]:
        """Settings that are not the profile's, such as "model.width=64" or "train.lr=0.01", without the weights."""
        return frozenset(changes(self.record.label.overrides))

    @cached_property
    def base(self) -> frozenset[str]:
        """Those of them that all methods were run with."""
        return frozenset(changes(self.record.label.base))


@dataclass(frozen=True, order=True)
class GroupKey:
    """What all runs of a group share: the task, as ``bench.settings.TaskSettings`` has it, and how models are trained.

    Attributes:
        sources: The sources as they were asked for, such as "others".
        recipe: Changes of the profile's recipe, and whether settings are tuned, as a text.
        base: Model settings that all methods were run with, as a text.
    """

    task: str
    protocol: str
    history: int
    horizon: int
    fraction: float
    windows: str
    equal_steps: bool
    days_back: str
    calendar: bool
    leaky_scaler: bool
    clamp: bool
    scored: int
    sources: str
    scaler: str
    profile: str
    recipe: str
    base: str

    @property
    def task_alone(self) -> GroupKey:
        """The same for all groups of one task."""
        return replace(self, profile="", recipe="", base="")

    @property
    def quick(self) -> bool:
        return self.profile == "quick"

    @property
    def claims(self) -> bool:
        """Whether its profile lets anything be claimed: no small budget does."""
        return self.profile not in PROFILES or PROFILES[self.profile].claims

    @property
    def unusual(self) -> int:
        """How many parts its heading has: a share of the data, few scored windows, each setting that was changed."""
        changed = sum(max(0, len(CHANGE.findall(shared)) - 1) for shared in (self.base, self.recipe))
        return len(self._parts) + changed

    @property
    def title(self) -> str:
        """All of it, as a heading."""
        return ", ".join(self._parts)

    @property
    def _parts(self) -> list[str]:
        parts = [
            f"Task {self.task}: {self.history} → {self.horizon} steps",
            f"protocol {self.protocol}",
            f"profile {self.profile}",
        ]
        parts += [f"trained on {self.sources.replace(',', ', ')}"] if self.sources else []
        few = (
            "no training window"
            if not self.fraction
            else f"{self.windows} {self.fraction * 100:g} % of the training windows"
        )
        parts += [few + " of its own" * bool(self.sources)] if self.fraction < 1 else []
        parts += ["scaler fitted on these"] if self.scaler == "target" else []
        parts += [] if self.equal_steps else ["as few steps"]
        parts += [f"days before for all: {self.days_back}"] if self.days_back != "own" else []
        parts += [] if self.calendar else ["without calendar"]
        parts += ["scaler fitted on all data (leaky)"] if self.leaky_scaler else []
        parts += ["forecasts clamped to the data's range"] if self.clamp else []
        parts += [f"at most {self.scored} windows of a split scored"] if self.scored else []
        return parts + [f"all with {shared}" for shared in (self.base, self.recipe) if shared]


@dataclass(frozen=True, order=True)
class DataKey:
    """A data set in its very version.

    Attributes:
        channel: The channel that is meant alone, with its unit; empty for all together.
        title: What readers see in place of its name.
    """

    dataset: str
    synthetic: bool
    version: str
    sha256: str
    channel: str = ""
    title: str = field(default="", compare=False)


@dataclass(frozen=True, order=True)
class MethodKey:
    """A model with its settings.

    Attributes:
        order: Its number in the suite; 0 in a suite of all models.
        name: As the suite has it.
        changes: Settings that are not those of the group, as a text.
        settings: Digest of all settings, where runs of one name must be told apart by it; else empty.
        weights_sha256: Of the pre-trained weights that its runs start from; empty for none, and where it was not kept.
        weights_are: What these weights are; empty if they are unknown to us.
        title: What readers see in place of its name.
        blocks: Which blocks of its pre-trained part are used; empty for all.
        external: Whether it is the name of forecasts that were made elsewhere.
    """

    order: int
    name: str
    model: str
    changes: str
    weights: str
    settings: str = ""
    weights_sha256: str = ""
    weights_are: str = ""
    external: bool = False
    title: str = field(default="", compare=False)
    blocks: str = field(default="", compare=False)

    @property
    def reads_unknown_weights(self) -> bool:
        """Whether its runs start from a file of which nobody can say that it is what its name says."""
        return self.weights in FROM_FILE and not self.weights_are


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A cell before it is text: the runs of one method on one data set.

    Attributes:
        runs: The done runs in its means; may be empty.
        flags: What is to be said of it.
        naive: Whether its model is a naive baseline.
        below: The metrics in which it is worse than the best naive baseline on the same data.
        naive_mae: The MAE of the best naive baseline on the same data, by which a scaled MAE is divided; NaN without.
        channel: The number of the channel that its scores are of; None for all together.
        untransferable: Why its model cannot be trained on other cities; empty if it can.
    """

    runs: tuple[DoneRun, ...]
    flags: tuple[Flag, ...]
    naive: bool
    below: tuple[str, ...] = ()
    naive_mae: float = math.nan
    channel: int | None = None
    untransferable: str = ""

    @property
    def seeds(self) -> int:
        return len(self.runs)

    @property
    def current(self) -> bool:
        return bool(self.runs) and "stale" not in self.flags

    @property
    def external(self) -> bool:
        """Whether its forecasts were made elsewhere."""
        return any(run.external for run in self.runs)

    @property
    def ranked(self) -> bool:
        """Whether it may be called better than others: it is current, and its model was audited."""
        return self.current and not self.external

    def mean(self, metric: str) -> float:
        """Mean over seeds in physical units; NaN without a finite value."""
        return self._means[metric]

    def std(self, metric: str) -> float:
        """Sample standard deviation over seeds; NaN for fewer than two."""
        return spread(self.values(metric))

    def values(self, metric: str) -> list[float]:
        """Of the seeds that have one."""
        if metric == SCALED:
            return [mae / self.naive_mae for mae in self.values("mae")] if self.naive_mae > 0 else []
        scores = (run.score(metric, self.channel) for run in self.runs)
        return [score for score in scores if score is not None]

    def cost(self, name: str) -> float:
        """Mean over the runs of an item of ``bench.records.record.Cost``; NaN if one of them does not have it."""
        costs = (getattr(run.cost, name, None) for run in self.runs)
        return statistics.fmean(math.nan if cost is None else float(cost) for cost in costs)

    @property
    def curves(self) -> list[tuple[float, ...]]:
        """MAE on test at each step, one curve per run; NaN at a step without any target."""
        return self.curves_of("mae")

    def curves_of(self, metric: str) -> list[tuple[float, ...]]:
        """A metric on test at each step, one curve per run that has it; NaN where it is not defined."""
        steps = [run.scores["test"][metric].per_step for run in self.runs if metric in run.scores["test"]]
        return [tuple(math.nan if value is None else value for value in curve) for curve in steps]

    @property
    def mean_curve(self) -> tuple[float, ...]:
        """Mean MAE over seeds by step; NaN where a seed has none."""
        return self.mean_curve_of("mae")

    def mean_curve_of(self, metric: str) -> tuple[float, ...]:
        """Mean over seeds by step; NaN where a seed has none."""
        return tuple(statistics.fmean(values) for values in zip(*self.curves_of(metric), strict=True))

    def flags_of(self, metric: str) -> tuple[Flag, ...]:
        """What is to be said of one of its numbers."""
        return ("below_naive", *self.flags) if metric in self.below else self.flags

    @cached_property
    def _means(self) -> dict[str, float]:
        values = {metric: self.values(metric) for metric in (*METRICS, SCALED)}
        return {metric: statistics.fmean(known) if known else math.nan for metric, known in values.items()}


def caveat_of(profile: str, runs: Iterable[DoneRun]) -> str:
    """What is to be said of numbers of a profile that may be shown and ranked; empty if nothing is.

    How long training was is read off the runs, since a recipe may be changed.
    """
    if profile not in PROFILES:
        return ""
    recipes = {run.spec.train for run in runs if run.curve} or {PROFILES[profile].train}
    lengths = sorted({(recipe.epochs, recipe.steps_per_epoch) for recipe in recipes})
    texts = (
        counted(epochs, "epoch") + (f" of at most {counted(steps, 'step')}" if steps else "")
        for epochs, steps in lengths
    )
    return PROFILES[profile].caveat.format(training=" or ".join(texts))


@dataclass(frozen=True, kw_only=True)
class Group:
    """The cells of a group."""

    key: GroupKey
    cells: Mapping[tuple[DataKey, MethodKey], Summary]

    @cached_property
    def caveat(self) -> str:
        """What is to be said of its numbers that may be shown and ranked; empty if nothing is."""
        return caveat_of(self.key.profile, (run for cell in self.cells.values() for run in cell.runs))

    @cached_property
    def datasets(self) -> list[DataKey]:
        return sorted({data for data, _ in self.cells})

    @cached_property
    def naive(self) -> set[MethodKey]:
        """The methods that are naive baselines."""
        return {method for (_, method), summary in self.cells.items() if summary.naive}

    @cached_property
    def methods(self) -> list[MethodKey]:
        """Naive baselines first."""
        return sorted({method for _, method in self.cells}, key=lambda method: (method not in self.naive, method))

    @cached_property
    def stale(self) -> set[MethodKey]:
        """The methods that have stale runs somewhere."""
        return {method for (_, method), summary in self.cells.items() if "stale" in summary.flags}

    @property
    def place(self) -> tuple[bool, int, int, float, int, GroupKey]:
        """By which groups are sorted, so that what is run later beside a study rarely stands before it.

        First come profiles that let something be claimed, then groups with the least that is unusual, and of these
        those with the most runs of models that are trained.
        """
        key, runs = self.key, sum(cell.seeds for cell in self.cells.values() if not cell.naive)
        return not key.claims, key.unusual, key.horizon, key.fraction, -runs, key

    def on(self, datasets: Container[DataKey]) -> Group:
        """The cells of these data sets alone."""
        return replace(self, cells={key: cell for key, cell in self.cells.items() if key[0] in datasets})

    def of(self, data: DataKey) -> dict[MethodKey, Summary]:
        """The cells of one data set."""
        return {method: summary for (other, method), summary in self.cells.items() if other == data}


def spread(values: Sequence[float]) -> float:
    """Sample standard deviation; NaN for fewer than two values. numpy's, as statistics' takes ten times as long."""
    return float(np.std(values, ddof=1)) if len(values) >= 2 else math.nan


def text(changed: Iterable[str]) -> str:
    """Changes in one line, sorted."""
    return ", ".join(sorted(changed))
