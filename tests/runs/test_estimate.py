"""How long a plan will take: arithmetic on what was measured, and what is said of it before the first run."""

from __future__ import annotations

import io
from functools import partial
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
import torch
from estimates import BUDGET, plan_of, shape
from records import record
from rich.console import Console

from bench.catalog import registry
from bench.cli.plan import announce, expect, show_expected
from bench.records.store import ResultStore
from bench.runs.estimate import (
    Pace,
    cheapest_first,
    guessed,
    pace_key,
    paces_from_records,
    planned_work,
    total_seconds,
    work,
)
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.runs.timing import NO_TIME
from bench.settings import TrainSettings

CPU = torch.device("cpu")


@pytest.fixture
def make_plan(catalog):
    return partial(plan_of, catalog)


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
    assert printed(catalog, patient, tmp_path).endswith(" on this machine, less where training stops early\n")


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
    text = printed(catalog, runs, tmp_path)
    assert text.startswith("2 runs to do, 1 of them in about ")
    assert text.endswith(" on this machine; how long the other one takes is not known\n")


def variants_of_stid(make_plan, widths):
    return [run for width in widths for run in make_plan("stid", overrides=(*BUDGET, f"model.width={width}"))]


def test_what_was_not_timed_is_guessed_at_the_mean_pace_of_its_model(make_plan):
    first, second, third, other = variants_of_stid(make_plan, (4, 8, 16, 32))[::2]
    paces = {
        pace_key(first.spec): Pace(trained=True, seconds={10: 1.0, 30: 3.0}),
        pace_key(second.spec): Pace(trained=True, seconds={10: 3.0}),
    }
    runs = [first, second, third, *make_plan("dlinear")]
    mean = Pace(trained=True, seconds={10: 2.0, 30: 3.0})
    assert guessed(runs, paces) == {pace_key(third.spec): ("stid", mean)}
    assert guessed(runs, {pace_key(other.spec): Pace(trained=True, seconds={10: 1.0})}) == {}
    assert guessed(runs, paces, [third.method]) == {}


def told_of(catalog, runs, results, monkeypatch, paces, failures=()):
    """The whole text of a dry run that found these paces."""
    monkeypatch.setattr("bench.runs.timing.paces_with_trials", lambda *_, **__: (paces, dict(failures)))
    out = io.StringIO()
    console = Console(file=out, width=200)
    executor = SimpleNamespace(here="cpu", jobs=2)
    expected = expect(console, runs, catalog, results, executor, threads=1, force=False, thorough=True)
    show_expected(console, runs, expected)
    return out.getvalue()


def test_a_plan_counts_guessed_runs_and_says_of_how_many_it_knows_no_time(catalog, make_plan, tmp_path, monkeypatch):
    runs = variants_of_stid(make_plan, (4, 8, 16))
    pace = 3600.0 / planned_work(runs[0], {"tiny": catalog.shape("tiny")}, trained=True)
    paces = {pace_key(runs[0].spec): Pace(trained=True, seconds={24: pace})}
    text = told_of(catalog, runs, tmp_path, monkeypatch, paces, {runs[2].method: NO_TIME})
    assert "one run after another" in text
    guess = "4 of them guessed from runs of the same model (stid: 1 of 3 settings timed); nothing was run"
    assert f"6 of 6 runs to do, about 3.0 h on this machine with 2 runs side by side, {guess}" in text
    assert text.count("about 3.0 h") == 3  # of two data sets, three hours each, one after another; and side by side
    assert "not in the estimate" not in text
    alone = told_of(catalog, runs[:1], tmp_path, monkeypatch, paces)
    assert "1 of 1 run to do, about 60 min on this machine; nothing" in alone
    text = told_of(catalog, [*runs, *make_plan("dlinear")], tmp_path, monkeypatch, paces, {"dlinear": NO_TIME})
    assert "8 of 8 runs to do, 6 of them in about 3.0 h on this machine with 2 runs side by side" in text
    assert "; how long the other 2 take is not known; nothing was run" in text
    assert text.count("about 3.0 h without 1 run that is not timed") == 2  # of each data set
    alone = "a dry run of one of them alone, by --model, has this time for it"
    assert f"not in the estimate: dlinear: {NO_TIME}; {alone}" in text


def test_what_cannot_be_timed_is_named_in_quotes_where_a_name_has_a_comma(catalog, tmp_path, monkeypatch):
    names = ("random, frozen", "no backbone")
    runs = plan(load_suite("controls"), Selection(datasets=("tiny",), variants=names), catalog)
    text = told_of(catalog, runs, tmp_path, monkeypatch, {}, dict.fromkeys(names, NO_TIME))
    assert (
        f"not in the estimate: 'random, frozen', 'no backbone': {NO_TIME}; a dry run of one of them alone, by --v"
        in text
    )
    text = told_of(catalog, runs[:1], tmp_path, monkeypatch, {}, {names[0]: NO_TIME})
    assert "alone" not in text


def test_a_terminal_shows_which_model_is_tried(catalog, make_plan, tmp_path):
    shown = printed(catalog, make_plan("last_value"), tmp_path, terminal=True)
    assert "trying how fast this machine is" in shown
    assert "last_value on tiny" in shown
