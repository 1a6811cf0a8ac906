"""Running plans: skipping, failing, racing, forcing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import torch

from bench.catalog import registry
from bench.context import RunContext
from bench.errors import LeakError
from bench.records.arrays import values_of
from bench.records.planned import PlannedRun
from bench.records.record import Cost, dump
from bench.runs import evaluator
from bench.runs.evaluator import evaluate, forward_flops
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.status import plan_status
from bench.runs.suite import load_suite
from bench.settings import TaskSettings
from bench.task import Task

CPU = torch.device("cpu")
TINY_BUDGET = ("train.epochs=2", "train.steps_per_epoch=3", "train.batch_size=8")


class Recorder:
    """An observer that notes what it is told."""

    def __init__(self):
        self.events = []

    def run_started(self, run):
        self.events.append(("started", run.model))

    def epoch(self, run, row):
        self.events.append(("epoch", row["epoch"]))

    def run_finished(self, run, record):
        self.events.append(("finished", record.status))

    def run_retried(self, run, why):
        self.events.append(("retried", why))

    def run_skipped(self, run, why):
        self.events.append(("skipped", why))


@pytest.fixture
def make_plan(catalog):
    def make(*models, overrides=TINY_BUDGET, **choices):
        chosen = {"datasets": ("tiny",)} | choices
        selection = Selection(models=models, overrides=overrides, **chosen)
        return plan(load_suite("short_term"), selection, catalog)

    return make


@pytest.fixture
def runner(catalog, tmp_path):
    return Runner(catalog, tmp_path / "results", CPU, [Recorder()], isolated=False)


def records(runner):
    return list(runner.store.records())


def test_every_run_leaves_one_record_and_is_not_repeated(runner, make_plan):
    runs = make_plan("last_value", "stid")
    assert runner.run(runs) == {"done": 2, "skipped": 0, "failed": 0}
    assert runner.run(runs) == {"done": 0, "skipped": 2, "failed": 0}
    assert len(records(runner)) == 2
    (observer,) = runner._observers
    assert observer.events == [
        ("started", "last_value"),
        ("finished", "done"),
        ("started", "stid"),
        ("epoch", 1),
        ("epoch", 2),
        ("finished", "done"),
        ("skipped", "stored"),
        ("skipped", "stored"),
    ]


def test_a_record_says_all_that_a_reader_needs(runner, make_plan):
    (run,) = make_plan("stid")
    runner.run([run])
    (record,) = records(runner)
    assert record.spec == run.spec
    assert len(record.scores["test"]["rmse"].per_step) == 6
    assert len(record.scores["val"]["mae"].per_channel) == 2
    cost = record.cost
    assert cost.parameters == cost.trainable_parameters > 0
    assert {"flops", "train_s", "ms_per_window", "peak_mb", "epochs"} <= set(Cost.__struct_fields__)
    assert record.counts.test_values == record.counts.test * 6 * 2 * 12
    errors = record.windows
    count, absolute, square = map(values_of, (errors.count, errors.absolute, errors.square))
    assert len(errors.starts) == record.counts.test
    assert count.sum() == record.counts.test_values
    assert absolute.sum() / count.sum() == pytest.approx(record.score("mae"), rel=1e-6)
    assert square.sum() / count.sum() == pytest.approx(record.score("rmse") ** 2, rel=1e-6)
    day = errors.day
    assert values_of(day.count).sum() == count.sum()
    assert values_of(day.absolute).sum() == pytest.approx(absolute.sum())
    audit = record.audit
    assert audit.test_reads == 1
    assert (audit.forecasts.windows, audit.forecasts.draws, audit.forecasts.fresh_in) == (4, 0, "process")
    assert audit.forecasts.largest < 1e-5
    assert audit.scaler_fitted_on == (0, 280)
    assert len(audit.checkpoint_sha256) == 64
    assert [row.epoch for row in record.curve] == [1, 2]
    assert str(Path.home()) not in dump(record).decode()


def test_a_run_that_fails_is_recorded_with_its_reason_and_the_next_one_starts(runner, make_plan):
    broken = make_plan("stid", overrides=("train.lr=1e30", "train.epochs=3"))
    outcome = runner.run([*broken, *make_plan("last_value")])
    assert (outcome["failed"], outcome["done"]) == (1, 1)
    failed = next(record for record in records(runner) if record.status == "failed")
    assert failed.error.type == "TrainingError"
    assert "lower train.lr" in failed.error.message
    assert not hasattr(failed, "scores")


def test_a_failed_run_is_tried_again_and_its_reason_goes_when_it_succeeds(runner, make_plan, monkeypatch):
    (run,) = make_plan("last_value")
    module = registry.load("model", "last_value")
    with monkeypatch.context() as patch:
        patch.setattr(module.Model, "forward", lambda self, window: 1 / 0)
        assert runner.run([run])["failed"] == 1
    assert records(runner)[0].error.type == "ZeroDivisionError"
    assert runner.run([run])["done"] == 1
    assert [record.status for record in records(runner)] == ["done"]


def test_a_forecast_that_is_not_finite_fails_its_run_alone(runner, make_plan, monkeypatch):
    module = registry.load("model", "last_value")
    monkeypatch.setattr(module.Model, "forward", lambda self, window: window.history * float("nan"))
    outcome = runner.run(make_plan("last_value", "window_mean"))
    assert (outcome["failed"], outcome["done"]) == (1, 1)


def test_a_run_whose_code_changed_since_the_plan_fails_with_the_remedy(runner, make_plan, monkeypatch):
    (run,) = make_plan("last_value")
    monkeypatch.setattr("bench.runs.worker.code_of", lambda dataset, model: "f" * 12)
    assert runner.run([run])["failed"] == 1
    assert "has changed since this command began; run it again" in records(runner)[0].error.message


def test_a_run_whose_data_changed_since_the_plan_fails_with_the_remedy(runner, make_plan):
    (run,) = make_plan("last_value")
    spec = msgspec.structs.replace(run.spec, data=replace(run.spec.data, sha256="f" * 64))
    assert runner.run([replace(run, spec=spec)])["failed"] == 1
    assert "files of 'tiny' have changed" in records(runner)[0].error.message


def test_force_starts_an_unfinished_run_anew(runner, make_plan, tmp_path):
    (run,) = make_plan("stid")
    checkpoint = tmp_path / "results" / "checkpoints" / f"{run.run_id}.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"left by a killed run")
    assert runner.run([run], force=True)["done"] == 1


def test_a_checkpoint_goes_when_its_record_is_stored(runner, make_plan, tmp_path):
    runner.run(make_plan("stid"))
    assert list((tmp_path / "results" / "checkpoints").iterdir()) == []


def test_force_repeats_a_run_and_keeps_the_old_record_aside(runner, make_plan, tmp_path):
    runs = make_plan("stid")
    runner.run(runs)
    (first,) = records(runner)
    assert runner.run(runs, force=True)["done"] == 1
    (second,) = records(runner)
    assert second.scores == first.scores
    assert len(list((tmp_path / "results").glob("runs/tiny/stid/superseded/*.json"))) == 1


def test_a_record_that_cannot_be_read_stops_nobody_and_is_made_again(runner, make_plan, tmp_path):
    runs = make_plan("last_value", "window_mean")
    runner.run(runs)
    first, second = (tmp_path / "results" / "runs" / "tiny" / run.model / f"{run.run_id}.json" for run in runs)
    kept = second.read_bytes()
    first.write_bytes(first.read_bytes()[:999])
    (observer,) = runner._observers
    observer.events.clear()
    assert runner.run(runs) == {"done": 1, "skipped": 1, "failed": 0}
    (again,) = [text for event, text in observer.events if event == "retried"]
    assert again.startswith(f"{first} is not a result record (Input data was truncated); once the run is done")
    assert [path.stat().st_size for path in first.parent.glob("set-aside/*.json")] == [999]
    assert second.read_bytes() == kept
    assert sorted(record.model for record in records(runner)) == ["last_value", "window_mean"]


def test_status_tells_done_stale_failed_queued_and_what_is_to_do_apart(runner, make_plan):
    done, missing = make_plan("last_value"), make_plan("window_mean")
    failed = make_plan("stid", overrides=("train.lr=1e30", "train.epochs=3"))
    (answered,) = make_plan("historical_average")
    stale = [PlannedRun(spec=answered.spec, code="0" * 12, method=answered.method, label=answered.label)]
    runner.run([*done, *failed, answered])
    counts, reasons = plan_status([*done, *missing, *failed, *stale], records(runner))
    assert {model: dict(by_state) for (_, model), by_state in counts.items()} == {
        "last_value": {"done": 1},
        "window_mean": {"to do": 1},
        "stid": {"failed": 1},
        "historical_average": {"stale": 1},
    }
    assert "lower train.lr" in reasons["tiny", "stid"][0]
    at_work = dict.fromkeys([missing[0].run_id, failed[0].run_id], "queued")
    counts, _ = plan_status([*missing, *failed], records(runner), at_work)
    assert [dict(by_state) for by_state in counts.values()] == [{"queued": 1}, {"failed": 1}]


def test_a_second_evaluation_of_one_task_is_refused(catalog):
    task = Task(catalog.load("tiny"), TaskSettings(name="short"), CPU)
    module = registry.load("model", "last_value")
    context = RunContext(seed=0, device=CPU)
    model = module.Model(task.shape, module.Config())
    evaluate(model, task, context)
    with pytest.raises(LeakError):
        evaluate(model, task, context)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_scores_as_a_plain_one_and_says_so(catalog, make_plan, tmp_path):
    (run,) = make_plan("stid", overrides=(*TINY_BUDGET, "task.scored=0"))
    both = []
    for compiled in (False, True):
        runner = Runner(catalog, tmp_path / str(compiled), CPU, compiled=compiled, isolated=False)
        runner.run([run])
        both += records(runner)
    plain, fast = both
    assert [record.status for record in both] == ["done", "done"], both[-1]
    assert [record.environment.compiled for record in both] == [False, True]
    assert fast.score("mae") == pytest.approx(plain.score("mae"), rel=1e-3)
    assert fast.cost.flops == plain.cost.flops


def test_operations_are_counted_once_for_a_model_its_settings_and_shapes(catalog, make_plan, tmp_path, monkeypatch):
    counted = []

    def count(model, windows):
        counted.append(model)
        return forward_flops(model, windows)

    monkeypatch.setattr(evaluator, "forward_flops", count)
    runner = Runner(catalog, tmp_path, CPU, isolated=False)
    runner.run(make_plan("dlinear", seeds=(0, 1)))
    assert len(counted) == 1
    runner.run(make_plan("dlinear", overrides=(*TINY_BUDGET, "model.kernel=5", "task.history=8")))
    runner.run(make_plan("stid"))
    assert len(counted) == 3
    flops = [record.cost.flops for record in records(runner)]
    assert len(set(flops)) == 3
    for file in (catalog.cache / "flops").iterdir():
        file.write_text("no number")
    runner.run(make_plan("stid", seeds=(5,)))
    assert len(counted) == 4
