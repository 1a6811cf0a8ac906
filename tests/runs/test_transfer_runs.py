"""Runs on sources and on a target, from the plan to the record, as commands and scripts make them."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from cities import city, opened
from torch import nn

import bench
from bench.analysis.budget import budget_note
from bench.analysis.results import Results
from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.context import RunContext
from bench.errors import ConfigError, DataError, TransferError
from bench.records.planned import PlannedRun
from bench.records.record import Record, dump, parse
from bench.records.store import ResultStore
from bench.runs.estimate import planned_work, shapes_of
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import Suite, load_suite
from bench.runs.trial import trial_pace
from bench.runs.worker import Work, open_task
from bench.settings import TrainSettings
from bench.train import learning, make_model
from bench.transfer import Transfer
from bench.tuning.studies import job

BUDGET = ("train.epochs=2", "train.steps_per_epoch=3", "train.batch_size=8", "model.identity=false")
CPU = torch.device("cpu")
SUITE = Suite(
    name="mine",
    title="Mine",
    tasks=("transfer", "transfer1"),
    protocol="strict",
    datasets=("tiny", "tiny2"),
    models=("last_value", "stid"),
)


def planned(catalog: Catalog, *, task: str = "transfer", overrides: tuple[str, ...] = BUDGET) -> list[PlannedRun]:
    selection = Selection(datasets=("tiny",), seeds=(0,), task=task, overrides=overrides)
    return plan(SUITE, selection, catalog)


def made(catalog: Catalog, runs: list[PlannedRun], folder: Path) -> dict[str, Record]:
    Runner(catalog, folder, CPU, isolated=False).run(runs)
    return {record.model: record for record in ResultStore(folder).records()}


@pytest.mark.parametrize(("task", "train", "epochs", "steps"), [("transfer", 0, 2, 6), ("transfer1", 2, 4, 12)])
def test_a_record_says_what_was_trained_on(catalog, tmp_path, task, train, epochs, steps):
    runs = planned(catalog, task=task)
    records = made(catalog, runs, tmp_path / "results")
    stid, last = records["stid"], records["last_value"]
    assert stid.status == "done", stid.error
    assert stid.spec.sources == (catalog.identity("tiny2"),)
    assert (stid.counts.train, stid.counts.sources) == (train, 269)
    assert stid.audit.scaler_fitted_on == (0, 0)
    assert [epoch.epoch for epoch in stid.curve] == [*range(1, epochs + 1)]
    assert stid.audit.forecasts.largest < 1e-4
    (group,) = Results([stid]).groups(SUITE).values()
    assert f", {steps} training steps" in budget_note(group)
    assert (last.cost.epochs, last.counts.test) == (0, stid.counts.test)
    assert parse(dump(stid), "it") == stid
    trained = next(run for run in runs if run.model == "stid")
    work = planned_work(trained, shapes_of(runs, catalog), trained=True)
    assert work == pytest.approx(stid.cost.work, rel=0.1)
    assert Runner(catalog, tmp_path / "results", CPU).run(runs) == {"done": 0, "skipped": 2, "failed": 0}


def test_a_model_that_cannot_transfer_fails_its_own_run_with_the_reason(catalog, tmp_path):
    records = made(catalog, planned(catalog, overrides=BUDGET[:-1]), tmp_path / "results")
    assert records["last_value"].status == "done"
    assert records["stid"].error.type == "TransferError"
    assert records["stid"].error.message.startswith("cannot transfer: its parameter cell depends on the grid")


def test_a_source_that_has_changed_since_the_plan_fails_the_run(catalog):
    run = planned(catalog)[1]
    changed = dataclasses.replace(run.spec.sources[0], sha256="0" * 64)
    spec = msgspec.structs.replace(run.spec, sources=(changed,))
    with pytest.raises(DataError, match="the files of 'tiny2' have changed"):
        open_task(PlannedRun(spec=spec, code=run.code, method="stid", label=run.label), catalog, CPU)


def test_no_checkpoint_is_left_behind_of_either_part(catalog, tmp_path):
    work = Work(run=planned(catalog)[1], catalog=catalog, results=tmp_path, checkpoint=tmp_path / "abc.d.pt")
    for name in ("abc.d.pt", "abc.d-adaptation.pt", "abc.e.pt"):
        (tmp_path / name).touch()
    work.forget_progress()
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["abc.e.pt"]


def test_the_pace_of_a_run_with_sources_is_tried_on_its_target(catalog):
    for task in ("transfer", "transfer1"):
        pace = trial_pace(planned(catalog, task=task)[1], catalog, CPU)
        assert (pace.trained, list(pace.seconds)) == (True, [24])


def test_a_task_with_sources_is_not_tuned(catalog):
    with pytest.raises(ConfigError, match="'transfer' is not tuned"):
        job(planned(catalog)[1], BUDGET)


METHODS = [method for method in load_suite("transfer").methods if method.weights != "pretrained"]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_of_the_suite_fits_any_grid(method):
    plugin = registry.load("model", method.model)
    task = opened(city((10, 20), slots=200), city((16, 8), slots=200, seed=1), plugin=plugin)
    make = partial(make_model, plugin, method.settings, device=CPU)
    context = RunContext(seed=0, device=CPU)
    model = make(task.shape)
    if learning(model) == "steps":
        (other,) = Transfer(make=make, settings=TrainSettings(), context=context).cities(model, task)
        assert {id(p) for p in other.model.parameters()} == {id(p) for p in model.parameters()}
        assert other.model(task.sources[0].val.window(torch.arange(2))).shape == (2, 6, 2, 16, 8)


class Steps(nn.Module):
    """A linear map of the history's steps, made from the shape alone."""

    def __init__(self, shape, cells=False):
        super().__init__()
        self.linear = nn.Linear(shape.history, shape.horizon)
        self.cell = nn.Parameter(torch.zeros(shape.cells)) if cells else None

    def forward(self, window):
        return self.linear(window.history.movedim(1, -1)).movedim(-1, 1)


class Cells(Steps):
    def __init__(self, shape):
        super().__init__(shape, cells=True)


SETTINGS = {"train.epochs": 2, "train.steps_per_epoch": 3, "task.sources": "tiny2"}


def test_a_model_of_ones_own_is_transferred_by_bench_evaluate(tiny):
    record = bench.evaluate(Steps, "tiny", task="transfer", settings=SETTINGS, data_dir=tiny)
    assert [source.name for source in record.spec.sources] == ["tiny2"]
    adapted = bench.evaluate(Steps, "tiny", task="transfer1", settings=SETTINGS, data_dir=tiny)
    assert adapted.cost.epochs == 4
    with pytest.raises(TransferError, match="its parameter cell depends on the grid"):
        bench.evaluate(Cells, "tiny", task="transfer", settings=SETTINGS, data_dir=tiny)


def test_forecasts_made_elsewhere_stand_beside_runs_with_sources(tiny):
    count = bench.forecast_windows("tiny", task="transfer", data_dir=tiny).shape[0]
    forecasts = np.random.default_rng(0).uniform(0, 50, (count, 6, 2, 3, 4))
    told = {"name": "level", "dataset": "tiny", "task": "transfer", "as_is": True}
    record = bench.evaluate(forecasts=forecasts, **told, data_dir=tiny)
    assert (record.counts.train, record.counts.test) == (0, count)


def test_the_suite_has_a_table_that_says_who_was_trained_on_what(tiny, tmp_path):
    settings = {"train.epochs": 1, "train.steps_per_epoch": 2, "task.sources": "tiny2", "train.batch_size": 4}
    results = bench.run(
        suite="transfer",
        models=["last_value", "stid"],
        datasets=["tiny"],
        task="transfer",
        seeds=[0],
        settings=settings,
        data_dir=tiny,
        results=tmp_path / "results",
    )
    assert set(results.frame["status"]) == {"done"}, list(results.frame["error"])
    assert set(results.frame["sources"]) == {"tiny2"}
    table = results.table("transfer").tables[0]
    assert "trained on tiny2, no training window of its own" in table.heading
    assert "Trained on other data sets: Tiny city from tiny2." in table.notes
    assert load_suite("transfer").takes(results.records[0].spec.task)
