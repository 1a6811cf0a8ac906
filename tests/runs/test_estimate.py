"""How long a plan will take: arithmetic on what was measured, and trials that are short and leave no trace."""

from __future__ import annotations

import io
import random
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from builders import make_data
from records import record
from rich.console import Console
from torch import nn

from bench.catalog import registry
from bench.cli.plan import announce, expect
from bench.errors import TimeLimitError
from bench.records.store import ResultStore
from bench.runs.ends import RaisedError
from bench.runs.estimate import (
    Pace,
    cheapest_first,
    pace_key,
    paces_from_records,
    planned_work,
    total_seconds,
    trials,
    work,
)
from bench.runs.execution import failure_of
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.runs.timing import paces_with_trials
from bench.settings import TrainSettings

CPU = torch.device("cpu")
BUDGET = ("task.scored=0", "train.epochs=3", "train.steps_per_epoch=5", "train.batch_size=8")


@pytest.fixture
def make_plan(catalog):
    def make(*models, datasets=("tiny", "tiny2"), overrides=BUDGET, **choices):
        selection = Selection(models=models, datasets=datasets, overrides=overrides, **choices)
        return plan(load_suite("short_term"), selection, catalog)

    return make


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


def shape(slots, cells):
    return (slots, 2, 1, cells)


def try_all(runs, paces=None, catalog=None):
    return paces_with_trials(runs, paces or {}, catalog or Large(), "cpu", lambda run: None, isolated=False)


def test_work_is_the_windows_times_the_cells_and_a_trained_window_counts_three_times():
    windows = {"train": 100, "per_epoch": 100, "val": 20, "test": 30}
    whole, part = TrainSettings(batch_size=8), TrainSettings(batch_size=8, steps_per_epoch=2)
    assert work(windows, whole, epochs=0, cells=5) == 5 * (20 + 30)
    assert work(windows, whole, epochs=4, cells=5) == 5 * (4 * (3 * 100 + 20) + 30)
    assert work(windows, part, epochs=4, cells=5) == 5 * (4 * (3 * 16 + 20) + 30)


def test_few_windows_are_trained_on_as_often_as_the_steps_of_all_windows_ask_for():
    whole, part = TrainSettings(batch_size=8), TrainSettings(batch_size=8, steps_per_epoch=2)
    windows = {"train": 10, "per_epoch": 100, "val": 20, "test": 30}  # 13 steps: six passes of 8 and 2, and one of 8
    assert work(windows, whole, epochs=1, cells=1) == 3 * 68 + 20 + 30
    assert work(windows, part, epochs=1, cells=1) == 3 * 10 + 20 + 30
    fewer_than_a_batch = windows | {"train": 5}
    assert work(fewer_than_a_batch, whole, epochs=1, cells=1) == 3 * 13 * 5 + 20 + 30


def test_the_planned_work_of_few_scored_windows_is_that_of_its_record(catalog, tmp_path):
    runs = plan(load_suite("short_term"), Selection(models=("stid",), datasets=("tiny",)), catalog)
    Runner(catalog, tmp_path / "results", CPU).run(runs)
    (record,) = ResultStore(tmp_path / "results").records()
    counts = record.counts
    assert (counts.val, counts.test) == (13, 13)
    assert (counts.val_there, counts.test_there) == (55, 55)
    assert planned_work(runs[0], {"tiny": catalog.shape("tiny")}, trained=True) == record.cost.work


def test_the_planned_work_of_a_few_shot_run_is_that_of_its_record(catalog, tmp_path):
    selection = Selection(models=("stid",), datasets=("tiny",), task="few10", overrides=("train.epochs=2",))
    runs = plan(load_suite("few_shot"), selection, catalog)
    Runner(catalog, tmp_path / "results", CPU).run(runs)
    (record,) = ResultStore(tmp_path / "results").records()
    assert record.counts.train < record.counts.per_epoch / 9
    assert record.counts.val < record.counts.per_epoch / 9
    planned = planned_work(runs[0], {"tiny": catalog.shape("tiny")}, trained=True)
    assert planned == pytest.approx(record.cost.work, rel=0.15)  # a plan knows slots, not windows


def test_the_time_of_known_paces_is_pace_times_work_by_data_set(make_plan):
    trained, naive = make_plan("stid"), make_plan("last_value")
    paces = {
        pace_key(trained[0].spec): Pace(trained=True, seconds={20: 1e-3}),
        pace_key(naive[0].spec): Pace(trained=False, seconds={20: 1e-4}),
    }
    shapes = {"tiny": shape(1000, 10), "tiny2": shape(2000, 20)}
    first = 10 * (3 * (3 * 40 + 150) + 150) * 1e-3
    second = 20 * (3 * (3 * 40 + 300) + 300) * 1e-3
    assert total_seconds(trained, paces, shapes) == pytest.approx(first + second)
    assert total_seconds(naive, paces, shapes) == pytest.approx((10 * 300 + 20 * 600) * 1e-4)
    assert total_seconds([*trained, *make_plan("dlinear")], paces, shapes) == pytest.approx(first + second)


def test_between_two_sizes_of_frames_the_pace_lies_on_a_line_and_beyond_them_it_stays():
    pace = Pace(trained=True, seconds={100: 1.0, 200: 3.0})
    assert [pace.on(values) for values in (50, 100, 150, 200, 400)] == [1, 1, 2, 3, 3]


def test_records_tell_the_pace_of_their_kind_on_their_grid(catalog, make_plan, tmp_path):
    runs = make_plan("stid", "ridge")
    Runner(catalog, tmp_path / "results", CPU, isolated=False).run(runs)
    records = list(ResultStore(tmp_path / "results").records())
    paces = paces_from_records(records, "cpu")
    assert set(paces) == {pace_key(run.spec) for run in runs}
    for model, trained in (("stid", True), ("ridge", False)):
        (run, _), mine = make_plan(model), [r.cost for r in records if r.model == model]
        pace = paces[pace_key(run.spec)]
        assert pace.trained == trained
        assert pace.seconds == {24: pytest.approx(np.median([cost.wall_s / cost.work for cost in mine]))}
        shapes = {name: shape(400, 12) for name in ("tiny", "tiny2")}
        whole = total_seconds(make_plan(model), paces, shapes)
        assert whole == pytest.approx(sum(cost.wall_s for cost in mine), rel=0.5)
    assert paces_from_records(records, "NVIDIA H100") == {}
    assert paces_from_records(ResultStore(tmp_path / "results").glances(), "cpu") == paces


def with_cost(made, **change):
    return msgspec.structs.replace(made, cost=msgspec.structs.replace(made.cost, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"work": 0.0},
        {"work": -1.0},
        {"wall_s": 0.0},
        {"wall_s": 1e300, "work": 1e-300},
        {"work": 1e308, "wall_s": 1e-300},
        {"epochs": -1},
    ],
)
def test_a_record_whose_numbers_are_of_no_run_tells_no_pace(change):
    made = with_cost(record(), work=1e6)
    odd = with_cost(made, **change)
    known = paces_from_records([made], None)
    assert known
    assert paces_from_records([odd, made], None) == known
    counts = msgspec.structs.replace(made.counts, train=0, per_epoch=0, val=0, test=0)
    assert paces_from_records([msgspec.structs.replace(made, counts=counts)], None) == {}


def test_of_each_data_set_the_runs_that_take_the_shortest_come_first(make_plan):
    runs = make_plan("convlstm", "stid", "last_value", seeds=(0, 1), datasets=("tiny2", "tiny"))
    paces = {
        pace_key(run.spec): Pace(trained=True, seconds={100: {"convlstm": 9.0, "stid": 1.0}[run.model]})
        for run in runs
        if run.model != "last_value"  # so short that it was not tried
    }
    ordered = cheapest_first(runs, paces, {name: shape(400, 100) for name in ("tiny", "tiny2")})
    seeds = [(model, seed) for model in ("last_value", "stid", "convlstm") for seed in (0, 1)]
    assert [(run.dataset, run.model, run.spec.seed) for run in ordered] == [
        (name, *rest) for name in ("tiny2", "tiny") for rest in seeds
    ]
    assert cheapest_first(runs, paces, {}) == runs


@pytest.mark.parametrize(
    "other", [{"task": "long"}, {"overrides": ("train.batch_size=4",)}, {"overrides": (*BUDGET, "model.width=8")}]
)
def test_other_tasks_batches_and_settings_are_other_kinds(make_plan, other):
    usual = {pace_key(run.spec) for run in make_plan("stid")}
    assert len(usual) == 1
    assert usual.isdisjoint(pace_key(run.spec) for run in make_plan("stid", **other))


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
    assert failures == {runs[2].model: "trials have a time limit of their own, which was over"}


def test_a_method_whose_pace_is_known_is_in_the_estimate_though_time_is_over(make_plan):
    runs = make_plan("stid", datasets=("tiny",))
    known = {pace_key(runs[0].spec): Pace(trained=True, seconds={24: 1.0})}
    assert paces_with_trials(runs, known, Large(), "cpu", lambda run: 1 / 0, budget=0, isolated=False) == (known, {})


@pytest.mark.parametrize(("limit", "reason"), [(None, "trials have"), (900.0, "trials have"), (1.0, "it took longer")])
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


def test_a_plan_gives_all_of_its_trials_two_minutes(catalog, make_plan, tmp_path, monkeypatch):
    given = {}

    def no_trials(*_, **options):
        given.update(options)
        return {}, {"stid": "it is ill", "dlinear": "it is ill"}

    monkeypatch.setattr("bench.runs.timing.paces_with_trials", no_trials)
    printed(catalog, make_plan("stid"), tmp_path)
    assert given["budget"] == 120


def printed(catalog, runs, results, *, terminal=False, force=False, thorough=True):
    """What is printed before the first run."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=200)
    executor = SimpleNamespace(here="cpu", jobs=1)
    announce(console, expect(console, runs, catalog, results, executor, threads=1, force=force, thorough=thorough))
    return out.getvalue()


def test_the_plan_says_in_one_line_how_long_it_will_take(catalog, make_plan, tmp_path):
    runs = make_plan("last_value", "stid")
    assert printed(catalog, runs, tmp_path).startswith("4 runs to do, about ")
    assert printed(catalog, runs, tmp_path).endswith(" s on this machine\n")
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "checkpoints").exists()
    patient = make_plan("stid", overrides=("train.epochs=40", "train.steps_per_epoch=1", "train.batch_size=8"))
    assert printed(catalog, patient, tmp_path).startswith("2 runs to do, at most about ")


def test_what_is_stored_is_not_counted_unless_it_is_repeated(catalog, make_plan, tmp_path):
    runs = make_plan("last_value")
    Runner(catalog, tmp_path, CPU, isolated=False).run(runs[:1])
    assert printed(catalog, runs, tmp_path, thorough=False).startswith("1 run to do, about ")
    assert printed(catalog, runs, tmp_path, thorough=False, force=True).startswith("2 runs to do, about ")
    assert printed(catalog, runs[:1], tmp_path) == ""


def test_nothing_is_said_where_nothing_is_known_and_what_is_left_out_is_said(catalog, make_plan, tmp_path, monkeypatch):
    runs = make_plan("last_value", "stid", datasets=("tiny",))
    assert printed(catalog, runs[:1], tmp_path, thorough=False) == ""
    monkeypatch.setattr(registry.load("model", "stid").Model, "forward", lambda *_: 1 / 0)
    monkeypatch.setattr("bench.runs.timing.call", lambda function, *arguments, **_: function(*arguments))
    assert "1 of them not timed" in printed(catalog, runs, tmp_path)


def test_a_terminal_shows_which_model_is_tried(catalog, make_plan, tmp_path):
    shown = printed(catalog, make_plan("last_value"), tmp_path, terminal=True)
    assert "trying how fast this machine is" in shown
    assert "last_value on tiny" in shown
