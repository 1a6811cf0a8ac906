"""The map of a forecast in a record: which window it is of, and what it holds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from builders import make_data

from bench.catalog import registry
from bench.context import RunContext
from bench.records.arrays import ForecastMap
from bench.runs.evaluator import evaluate
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.settings import TaskSettings
from bench.task import Task
from bench.types import SpatioTemporalData

CPU = torch.device("cpu")


def evaluated(data: SpatioTemporalData, model: str = "last_value", batch_size: int = 64) -> ForecastMap | None:
    task = Task(data, TaskSettings(name="short"), CPU)
    module = registry.load("model", model)
    context = RunContext(seed=0, device=CPU)
    context.begin()
    evaluation = evaluate(module.Model(task.shape, module.Config()), task, context, batch_size=batch_size)
    assert task.test_reads == 1
    return evaluation.forecast_map


def map_of(data: SpatioTemporalData, model: str = "last_value", batch_size: int = 64) -> ForecastMap:
    forecast_map = evaluated(data, model, batch_size)
    assert forecast_map is not None
    return forecast_map


def test_the_map_is_the_busiest_last_step_of_a_test_window_and_what_the_model_said_of_it():
    data = make_data()
    kept = map_of(data)
    frames = data.values[:, 0]
    reachable = range(340 + 5, 400)  # the test part begins at slot 340; the last of six steps
    busiest = max(reachable, key=lambda slot: frames[slot].sum())
    assert (kept.origin, kept.step) == (busiest - 5, 6)
    assert (kept.slot, kept.weekday, kept.per_day) == (busiest % 48, busiest // 48 % 7, 48)
    np.testing.assert_array_equal(kept.truth_map, frames[busiest])
    np.testing.assert_allclose(kept.forecast_map, frames[busiest - 6], rtol=1e-5)


def test_every_model_and_batch_size_keeps_the_same_window_and_the_batch_changes_no_forecast():
    data = make_data()
    kept = [map_of(data, "stid", size) for size in (64, 7)] + [map_of(data, "window_mean")]
    assert len({one.origin for one in kept}) == 1
    for other in kept[1:]:
        np.testing.assert_array_equal(other.truth_map, kept[0].truth_map)
    np.testing.assert_array_equal(kept[0].forecast_map, kept[1].forecast_map)


def test_missing_values_count_as_nothing_and_stay_gaps():
    data = make_data()
    mask = np.ones(data.values.shape, dtype=bool)
    busiest = map_of(data).origin + 5
    mask[busiest, 0, 1:] = False  # two thirds of its cells
    cells = np.ones((3, 4), dtype=bool)
    cells[0, 0] = False
    kept = map_of(replace(data, mask=mask, cell_mask=cells))
    assert kept.origin + 5 != busiest
    assert np.argwhere(np.isnan(kept.truth_map)).tolist() == [[0, 0]]
    assert np.isfinite(kept.forecast_map).all()


def test_without_a_value_at_any_last_step_there_is_no_map():
    data = make_data()
    mask = np.ones(data.values.shape, dtype=bool)
    mask[345:, 0] = False
    assert evaluated(replace(data, mask=mask)) is None


def test_a_record_names_channel_unit_and_day(catalog, tmp_path):
    runs = plan(load_suite("short_term"), Selection(models=("last_value",), datasets=("tiny",)), catalog)
    runner = Runner(catalog, tmp_path / "results", CPU, isolated=False)
    runner.run(runs)
    (record,) = runner.store.records()
    kept = record.forecast_map
    assert (kept.channel, kept.unit, kept.grid) == ("in", "trips", (3, 4))
    assert kept.truth_map.shape == kept.forecast_map.shape == (3, 4)
    assert kept.weekday == (kept.origin + 5) // 48 % 7  # the data begin on a Monday
