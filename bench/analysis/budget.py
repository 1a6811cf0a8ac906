"""How much the runs of a group were given: of how many windows they were scored, after how many steps of training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.analysis.groups import Group
from bench.records.record import DoneRun


def budget_note(group: Group) -> str:
    """How many windows were scored, where not all, and of how many steps training is, where these are limited."""
    runs = [run for cell in group.cells.values() for run in cell.runs]
    parts = [part for part in (_windows(runs), _steps(runs)) if part]
    return f"Budget: {', '.join(parts)}." if parts else ""


def span(values: Iterable[int]) -> str:
    """The number, or the least and the largest; empty for none."""
    ends = sorted(set(values))
    return " to ".join(f"{value:,}" for value in dict.fromkeys((ends[0], ends[-1]))) if ends else ""


def _windows(runs: Sequence[DoneRun]) -> str:
    counts = [run.counts for run in runs if run.counts.test < run.counts.test_there]
    if not counts:
        return ""
    return f"{span(each.test for each in counts)} of {span(each.test_there for each in counts)} test windows scored"


def _steps(runs: Sequence[DoneRun]) -> str:
    trained = [run for run in runs if run.cost and run.cost.epochs and run.spec.train.steps_per_epoch]
    if not trained:
        return ""
    early = "at most " if any(run.spec.train.patience < run.spec.train.epochs for run in trained) else ""
    return f"{early}{span(map(_planned_steps, trained))} training steps"


def _planned_steps(run: DoneRun) -> int:
    """On the windows of sources, and on the data set's own if it has any to train on."""
    train, counts = run.spec.train, run.counts
    windows = [counts.sources] * bool(counts.sources) + [counts.per_epoch] * bool(counts.train)
    return train.epochs * sum(min(train.steps_per_epoch, math.ceil(number / train.batch_size)) for number in windows)
