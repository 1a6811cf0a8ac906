"""What is said of a plan, its runs and its studies while they are made, so that nothing passes in silence."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from studies import tuned
from typer.main import get_command
from typer.testing import CliRunner

import bench.cli.output
import bench.tuning.search
import bench.tuning.trials
from bench.catalog.data import Catalog
from bench.cli import plan as plan_screen
from bench.cli import tune
from bench.cli.app import Command, app
from bench.cli.console import ConsoleObserver, bars
from bench.cli.terminal import Console
from bench.errors import ConfigError
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.runs.tuned import TunedFolder
from bench.tuning.studies import Target, job


@pytest.fixture
def planned(tiny, tmp_path):
    """The runs of a suite on tiny data."""

    def of(*models, suite="short_term", **asked):
        selection = Selection(models=models, datasets=("tiny",), **asked)
        return plan(load_suite(suite), selection, Catalog(data_dir=tiny, cache=tmp_path / "cache"))

    return of


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--model", "stid", "--task", "few1", "--task", "few10"],
        ["tune", "--model", "stid", "--profile", "quick", "--profile=laptop"],
        ["data", "list", "--data-dir", ".", "--data-dir", ".."],
    ],
)
def test_an_option_that_takes_one_value_is_refused_twice(words):
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ConfigError)
    option = next(word for word in words if words.count(word) == 2 or word == "--profile")
    assert str(error) == f"{option} is given 2 times; it takes one value"


def test_every_command_refuses_it():
    def leaves(command):
        return [leaf for one in getattr(command, "commands", {}).values() for leaf in leaves(one)] or [command]

    assert {type(leaf) for leaf in leaves(get_command(app))} == {Command}


def test_the_file_of_a_suite_that_was_named_without_its_ending_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").touch()
    (tmp_path / "results").mkdir()
    error = CliRunner().invoke(app, ["tables", "mine"]).exception
    assert str(error).endswith("; a suite of your own is named by the path of its TOML file: mine.toml")


# ---------------------------------------------------------------- runs


def test_the_line_of_a_plan_and_those_of_its_runs_name_the_task_where_it_is_not_the_usual_one(planned, capsys):
    usual, few = planned("last_value"), planned("last_value", task="few10")
    assert (usual[0].title, few[0].title) == ("tiny / last_value / seed 0", "tiny / last_value / few10 / seed 0")
    catalog = SimpleNamespace(data_dir=None)
    for runs in (usual, few):
        plan_screen.show_plan(load_suite("short_term"), runs, catalog)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Short-term forecasting, 6 → 6, one recipe for all: 1 run")
    assert second.startswith("Short-term forecasting, 6 → 6, one recipe for all (task few10): 1 run")
    studies = [job(run, ()) for run in (*planned("stid", seeds=(0,)), *planned("stid", seeds=(0,), task="few10"))]
    assert [study.title for study in studies if study] == ["tiny / stid", "tiny / stid / few10"]
    several = planned("last_value", suite="few_shot")
    assert len({run.title for run in several}) == len(several) > 1


def test_a_naive_baseline_has_no_epochs_on_screen(planned):
    with ConsoleObserver(Console(file=io.StringIO()), 2) as screen:
        for run in (*planned("last_value"), *planned("stid")):
            screen.run_started(run)
        _, naive, trained = screen._progress.tasks
    assert (naive.total, naive.fields["note"], trained.fields["note"]) == (1, "not trained", "epochs")


def test_the_bar_of_trials_counts_those_that_have_ended(planned):
    run = planned("last_value")[0]
    with bars(Console(file=io.StringIO())) as progress:
        shown = plan_screen._shown_on(progress, 2)
        counts = [progress.tasks[0].completed]
        for _ in range(2):
            shown(run)
            counts.append(progress.tasks[0].completed)
        plan_screen._shown_on(progress, 0)
        assert (counts, [task.visible for task in progress.tasks]) == ([0, 0, 1], [True, False])


# ---------------------------------------------------------------- studies


def test_tuning_in_the_quick_profile_says_that_it_means_nothing(planned):
    jobs: Any = [SimpleNamespace(run=run) for run in planned("stid", seeds=(0,))]
    warning, size = tune._size(jobs, Target(trials=1), "quick").splitlines()
    assert warning == "profile quick: at most 5 training steps a trial, so what is found means nothing"
    assert size == "1 study, 1 trial each, on validation alone"
    jobs = [SimpleNamespace(run=run) for run in planned("stid", seeds=(0,), overrides=("train.steps_per_epoch=0",))]
    whole, _ = tune._size(jobs, Target(trials=1), "quick").splitlines()
    assert whole == "profile quick: what is found means nothing"
    assert tune._size(jobs, Target(seconds=60), "paper") == "1 study, 60 s each, on validation alone"


@pytest.mark.parametrize(("profile", "told"), [("quick", []), ("laptop", ["quick"])])
def test_settings_of_another_profile_are_replaced_with_a_word(tmp_path, monkeypatch, planned, profile, told):
    (run,), replaced = planned("stid", seeds=(0,)), []
    before = tuned(profile="quick")
    TunedFolder(tmp_path).write("tiny", "stid", "short", before)
    now = tuned(profile=profile, best_mae=0.5)
    monkeypatch.setattr(bench.tuning.search, "winner", lambda _: now)
    monkeypatch.setattr(bench.tuning.trials, "study_of", lambda _: None)
    monkeypatch.setattr(bench.tuning.trials, "write_trials", lambda *_: None)
    monkeypatch.setattr(bench.cli.output, "write_study", lambda *_: [])
    screen: Any = SimpleNamespace(written=lambda *_: None, replaced=lambda one: replaced.append(one.profile))
    study: Any = SimpleNamespace(run=run, slug="", profile=profile, title="tiny / stid")
    tuner: Any = SimpleNamespace(tune=lambda *_, **__: None)
    tune._study(study, tuner, lambda: True, screen, [], tmp_path)
    assert replaced == told
    assert TunedFolder(tmp_path).found("tiny", "stid", "short") == now.found
