"""Forecasts that were made elsewhere: the scores of a run to the last bit, and records like those of runs."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from builders import make_data
from clusters import small_plan
from elsewhere import MODELS, SQUARE, refused

import bench
from bench.catalog.data import Catalog
from bench.catalog.importing import import_array
from bench.errors import BenchError
from bench.records.record import dump, parse
from bench.records.saved import saved_path
from bench.records.store import ResultStore
from bench.runs.runner import Runner
from bench.scoring import sums_of
from bench.settings import TASKS
from bench.task import Task


def timeless(record):
    return msgspec.structs.replace(record, ended=None)


# The round trip -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_saved_forecasts_score_as_their_run_to_the_last_bit(place, records, evaluate, model):
    run = records[model]
    record = evaluate(saved_path(place / "results", run, "forecasts"), dataset=None)
    assert record.scores == {"test": run.scores["test"]}
    assert (record.windows, record.counts) == (run.windows, run.counts)
    assert (record.spec.task, record.spec.data, record.label.profile) == (run.spec.task, run.spec.data, "quick")
    assert record.model == f"{model}_saved"


def test_the_record_says_that_nobody_ran_or_audited_anything(evaluate, good):
    record = evaluate(good, name="mine", seed=3)
    assert (record.external, record.audit, record.cost, record.curve, record.inputs) == (True, None, None, [], None)
    assert (record.model, record.seed, record.role, record.label.profile) == ("mine", 3, "model", "paper")
    assert str(record).startswith("mine on square (forecasts made elsewhere), seed 3: MAE ")
    assert parse(dump(record), "here") == record
    assert record.forecast_map is not None


def test_an_array_scores_as_the_model_that_made_it(evaluate, good, place):
    def day_before(window):
        return window.past[:, 0]

    day_before.DAYS_BACK = (1,)
    run = bench.evaluate(day_before, "square", data_dir=place / "data", settings={"task.scored": 0})
    record = evaluate(good)
    assert record.score("mae") == pytest.approx(run.score("mae"), rel=1e-6)
    assert record.counts.test == run.counts.test == len(good)


def test_the_template_names_what_is_wanted(wanted, place):
    split = bench.load_dataset("square", place / "data", place / "cache").values.shape[0] * 85 // 100
    assert (wanted.origins[0], wanted.origins[-1]) == (split, 400 - 6)
    assert tuple(wanted.shape) == (len(wanted.origins), 6, 2, 4, 4)
    assert wanted.times[0] == np.datetime64("2020-01-06T00:00") + split * np.timedelta64(30, "m")
    few = bench.forecast_windows("square", profile="quick", data_dir=place / "data", cache=place / "cache")
    assert len(few.origins) == 13


@pytest.mark.parametrize(
    "form",
    [
        lambda a: a.astype(np.float64),
        lambda a: a.astype(np.int64),
        lambda a: np.asfortranarray(a),
        lambda a: torch.from_numpy(a),
        lambda a: a.tolist(),
    ],
    ids=["float64", "whole", "by column", "torch", "lists"],
)
def test_the_same_numbers_in_another_form_have_the_same_record(evaluate, good, form):
    assert timeless(evaluate(form(good))) == timeless(evaluate(good))


@pytest.mark.parametrize("order", ["C", "F"])
def test_files_of_numpy_are_read(evaluate, good, wanted, tmp_path, order):
    array = np.array(good, order=order)
    np.save(tmp_path / "mine.npy", array)
    np.savez_compressed(tmp_path / "mine.npz", prediction=array)
    np.savez(tmp_path / "more.npz", forecasts=array, origins=wanted.origins, times=wanted.times.astype(str), truth=good)
    found = [timeless(evaluate(tmp_path / name, name="mine")) for name in ("mine.npy", "mine.npz", "more.npz")]
    assert found == [timeless(evaluate(good, name="mine"))] * 3
    assert evaluate(tmp_path / "mine.npy").model == "mine"


# In a results folder --------------------------------------------------------------------------------------------------


def test_forecasts_take_the_place_of_earlier_ones_of_their_name_and_seed(evaluate, good, tmp_path):
    for forecasts, seed in ((good, 0), (good, 1), (good + 1, 0), (good + 1, 0)):
        evaluate(forecasts, name="mine", seed=seed, results=tmp_path)
    kept = list(ResultStore(tmp_path).records())
    assert sorted(record.seed for record in kept) == [0, 1]
    assert len(list(tmp_path.glob("runs/square/mine/superseded/*.json"))) == 1


def test_no_run_is_ever_taken_for_forecasts_that_were_made_elsewhere(place, tmp_path, records, evaluate):
    path = saved_path(place / "results", records["ridge"], "forecasts")
    record = evaluate(path, dataset=None, results=tmp_path)
    assert record.spec.spec_id != records["ridge"].spec.spec_id
    catalog = Catalog(data_dir=place / "data", cache=place / "cache")
    runner = Runner(catalog, tmp_path, "cpu", isolated=False)
    assert runner.run(small_plan(catalog, "ridge", datasets=("square",))) == {"done": 1, "skipped": 0, "failed": 0}


def test_forecasts_scored_by_other_code_than_today_s_are_stale(evaluate, good, tmp_path):
    record = evaluate(good, name="mine", results=tmp_path)
    assert not bench.load_results(tmp_path).frame["stale"].any()
    older = msgspec.structs.replace(record, code="0" * 12, run_id=f"{record.spec.spec_id}.{'0' * 12}")
    ResultStore(tmp_path).retire("square", "mine", record.run_id)
    ResultStore(tmp_path).write(older)
    assert bench.load_results(tmp_path).frame["stale"].all()


def test_channels_of_different_units_are_scored_one_by_one(good, place, tmp_path):
    import_array(place / "square.npy", _with_units(tmp_path), tmp_path / "data")
    record = bench.evaluate(forecasts=good, dataset="square", data_dir=tmp_path / "data")
    assert record.score("mae") is None
    assert record.score("mae", 0) > 0


def _with_units(folder):
    card = folder / "square.toml"
    card.write_text(SQUARE + 'unit = ["trips", "km/h"]\n', encoding="utf-8")
    return card


def test_an_unknown_data_set_is_named(evaluate, good):
    assert "no data set named 'squre'; did you mean 'square'?" in refused(evaluate, good, "squre", error=BenchError)


def test_the_selection_of_a_file_s_own_task_gives_way_to_what_is_asked(place, records, evaluate):
    path = saved_path(place / "results", records["ridge"], "forecasts")
    assert "lacks 42 of 55 windows" in refused(evaluate, path, profile="paper")


def test_how_forecasts_lie_in_memory_changes_no_bit_of_a_sum():
    task = Task(make_data(grid=(15, 17)), TASKS["short"], torch.device("cpu"))
    windows = task.val
    forecasts = torch.rand((len(windows), 6, 2, 15, 17), generator=torch.Generator().manual_seed(0)) * 50
    turned = forecasts.movedim(1, -1).contiguous().movedim(-1, 1)  # as a model leaves them that works on series
    first, second = (
        sums_of(lambda chosen, values=values: values[chosen[0] : chosen[-1] + 1], windows, mape_threshold=1.0)
        for values in (forecasts, turned)
    )
    np.testing.assert_array_equal(first.sums, second.sums)
