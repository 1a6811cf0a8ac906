"""Trials of how long a plan will take, which are short and leave no trace."""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builders import make_data
from estimates import BUDGET, plan_of, shape
from torch import nn

from bench.catalog import registry
from bench.errors import TimeLimitError
from bench.runs.ends import RaisedError
from bench.runs.estimate import Pace, pace_key, total_seconds, trials
from bench.runs.execution import failure_of
from bench.runs.timing import NO_TIME, paces_with_trials


@pytest.fixture
def make_plan(catalog):
    return partial(plan_of, catalog)


class Large:
    """A catalog whose every data set has 300 validation windows."""

    def load(self, name):
        return make_data(slots=2000)

    def shape(self, name):
        return self.load(name).values.shape


class Counted(nn.Module):
    """Repeats the last value, and counts the windows that it sees in training and in evaluation."""

    def __init__(self, shape, config):
        super().__init__()
        self.level = nn.Parameter(torch.zeros(()), requires_grad=config.trained)
        self.horizon, self.seen = shape.horizon, {True: 0, False: 0}
        config.made.append(self)

    def forward(self, window):
        self.seen[self.training] += len(window.history)
        torch.rand(1)
        return self.level + window.history[:, -1:].expand(-1, self.horizon, -1, -1, -1)


@pytest.fixture
def counted(monkeypatch):
    """Put a counting model in the place of every model; the list of those that were made."""

    def use(*, trained):
        made = []
        module = SimpleNamespace(Model=Counted, Config=lambda **_: SimpleNamespace(trained=trained, made=made))
        monkeypatch.setattr(registry, "load", lambda kind, name: module)
        return made

    return use


def try_all(runs, paces=None, catalog=None):
    return paces_with_trials(runs, paces or {}, catalog or Large(), "cpu", lambda run: None, isolated=False)


def test_a_kind_is_tried_on_the_smallest_grid_and_on_a_much_larger_one(make_plan):
    runs = make_plan("stid", "last_value", seeds=(0, 1))

    def tried(known=None, **cells):
        shapes = {name: shape(4000, number) for name, number in cells.items()}
        return [(run.dataset, run.model) for run in trials(runs, known or {}, shapes, cheap=True)]

    both = [(name, model) for name in ("tiny", "tiny2") for model in ("last_value", "stid")]
    assert tried(tiny=100, tiny2=201) == both
    assert tried(tiny=201, tiny2=100) == both[2:] + both[:2]  # the smallest first, whatever their names
    assert tried(tiny=100, tiny2=200) == both[:2]
    assert tried(tiny=200, tiny2=100) == both[2:]
    known = {pace_key(run.spec): Pace(trained=True, seconds={260: 1.0}) for run in runs}
    assert tried(known, tiny=100, tiny2=200) == []
    assert tried(known, tiny=100, tiny2=270) == both[2:]


def test_one_setting_of_each_model_is_tried_before_any_other(make_plan):
    runs = [
        run
        for model in ("stid", "stnorm")
        for width in (4, 8)
        for run in make_plan(model, overrides=(*BUDGET, f"model.width={width}"))
    ]
    shapes = {"tiny": shape(4000, 100), "tiny2": shape(4000, 300)}

    def tried(known=None):
        return [
            (run.dataset, run.model, run.spec.config["width"]) for run in trials(runs, known or {}, shapes, cheap=False)
        ]

    small = [("tiny", model, width) for width in (4, 8) for model in ("stid", "stnorm")]
    assert tried() == [*small, *(("tiny2", model, width) for model in ("stid", "stnorm") for width in (4, 8))]
    known = {pace_key(runs[0].spec): Pace(trained=True, seconds={200: 1.0, 600: 1.0})}
    assert tried(known)[:3] == [("tiny", "stnorm", 4), ("tiny", "stid", 8), ("tiny", "stnorm", 8)]


def test_a_trial_of_slow_steps_ends_after_fewer_and_measures_them(make_plan, counted, monkeypatch):
    made = counted(trained=True)
    (run,) = make_plan("stid", datasets=("tiny",))
    clock = iter(range(0, 10**6, 60))
    monkeypatch.setattr("bench.context.RunContext.seconds", lambda _: next(clock))
    paces, failures = try_all([run])
    assert failures == {}
    assert made[0].seen[True] == 8  # one step
    assert made[0].seen[False] == 4 + 1 + 1  # and no batch
    assert paces[pace_key(run.spec)].on(24) > 0


def test_a_single_short_run_is_not_tried_unless_asked_for_but_a_long_one_is(make_plan):
    shapes = {"tiny": shape(1000, 12)}
    short, long = (make_plan("stid", datasets=("tiny",), overrides=(f"train.epochs={n}",)) for n in (1, 60))
    assert trials(short, {}, shapes, cheap=True) == []
    assert trials(short, {}, shapes, cheap=False) == short
    assert trials(long, {}, shapes, cheap=True) == long


def test_a_trial_trains_three_steps_and_forecasts_few_windows(make_plan, counted):
    made = counted(trained=True)
    (run,) = make_plan("stid", datasets=("tiny",))
    paces, failures = try_all([run])
    (model,) = made
    assert failures == {}
    assert model.seen[True] == 3 * 8
    assert model.seen[False] == 3 * 4 + 1 + 64  # of 289 validation windows
    assert paces[pace_key(run.spec)].trained
    assert paces[pace_key(run.spec)].on(24) > 0


def test_a_model_that_trains_nothing_has_no_epochs_whether_naive_or_not(make_plan, counted):
    made = counted(trained=False)
    (run,) = make_plan("stid", datasets=("tiny",))
    paces, _ = try_all([run])
    assert made[0].seen == {True: 0, False: 1 + 64}
    assert not paces[pace_key(run.spec)].trained
    seconds = total_seconds([run], paces, {"tiny": shape(2000, 12)})
    assert seconds == pytest.approx(paces[pace_key(run.spec)].on(24) * 12 * 600)


@pytest.mark.parametrize("model", ["ridge", "historical_average", "seasonal_naive_week", "stresnet"])
def test_fitted_models_and_those_that_ask_for_days_before_are_tried_too(make_plan, model):
    (run,) = make_plan(model, datasets=("tiny",))
    paces, failures = try_all([run])
    assert failures == {}
    assert paces[pace_key(run.spec)].trained == (model == "stresnet")


def test_a_trial_that_fails_is_told_by_method_and_the_others_go_on(make_plan, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(registry.load("model", "stid").Model, "forward", broken)
    runs = make_plan("stid", "last_value", datasets=("tiny",))
    paces, failures = try_all(runs)
    assert failures == {"stid": "out of memory"}
    assert set(paces) == {pace_key(run.spec) for run in runs if run.model == "last_value"}


def test_pretrained_weights_are_not_asked_for(make_plan, counted, monkeypatch):
    counted(trained=True)
    asked = []
    module = registry.load("model", "stvfm")
    make = module.Config
    monkeypatch.setattr(module, "Config", lambda **config: asked.append(config["weights"]) or make(**config))
    runs = make_plan("stvfm", datasets=("tiny",), overrides=(*BUDGET, "model.weights=pretrained"))
    _, failures = try_all(runs)
    assert (failures, asked) == ({}, ["random"])


def test_random_numbers_go_on_as_without_a_trial(make_plan):
    drawn = []
    for runs in ([], make_plan("stid", datasets=("tiny",))):
        torch.manual_seed(3)
        np.random.seed(3)  # noqa: NPY002
        random.seed(3)
        try_all(runs)
        drawn.append((torch.rand(1).item(), np.random.rand(), random.random()))  # noqa: NPY002
    assert drawn[0] == drawn[1]


def test_trials_end_when_their_time_is_over_and_what_is_left_is_told(make_plan, monkeypatch):
    runs = make_plan("last_value", "stid", "dlinear", datasets=("tiny",))
    clock = iter(range(0, 1000, 50))  # of the begin, and of each trial's
    monkeypatch.setattr("bench.runs.timing.time.monotonic", lambda: next(clock))
    tried = []
    paces, failures = paces_with_trials(
        runs, {}, Large(), "cpu", lambda run: tried.append(run.model), budget=101, isolated=False
    )
    assert tried == [run.model for run in runs[:2]]
    assert set(paces) == {pace_key(run.spec) for run in runs[:2]}
    assert failures == {runs[2].model: NO_TIME}


def test_a_method_whose_pace_is_known_is_in_the_estimate_though_time_is_over(make_plan):
    runs = make_plan("stid", datasets=("tiny",))
    known = {pace_key(runs[0].spec): Pace(trained=True, seconds={24: 1.0})}
    assert paces_with_trials(runs, known, Large(), "cpu", lambda run: 1 / 0, budget=0, isolated=False) == (known, {})


@pytest.mark.parametrize(("limit", "reason"), [(None, NO_TIME), (900.0, NO_TIME), (1.0, "it took longer")])
def test_a_trial_has_no_more_time_than_is_left_of_all(make_plan, monkeypatch, limit, reason):
    given = []

    def never_ends(*_, limit, **__):
        given.append(limit)
        raise RaisedError(failure_of(TimeLimitError(limit)))

    monkeypatch.setattr("bench.runs.timing.call", never_ends)
    monkeypatch.setattr("bench.runs.timing.time.monotonic", lambda: 0.0)
    (run,) = make_plan("stid", datasets=("tiny",))
    _, failures = paces_with_trials([run], {}, Large(), "cpu", lambda run: None, limit=limit, budget=120.0)
    assert given == [1.0 if limit == 1.0 else 120.0]
    assert failures[run.method].startswith(reason)
