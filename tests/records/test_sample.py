"""The sample forecast of a record: which one it is, and that it is never trusted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_data

from bench.catalog import registry
from bench.context import RunContext
from bench.errors import StoreError
from bench.records.sample import RULE, Sample, pack, unpack
from bench.runs.evaluator import evaluate
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.settings import TaskSettings
from bench.task import Task

CPU = torch.device("cpu")
TRUTH = np.array([[1.0, np.nan, 2.5], [0.0, 4.0, -1.0]])


def sample():
    return Sample(
        origin=340,
        step=6,
        slot=17,
        per_day=48,
        weekday=4,
        channel="in",
        unit="trips",
        truth=TRUTH,
        forecast=np.nan_to_num(TRUTH) + 1,
    )


def evaluated(data, model="last_value", batch_size=64, settings=None):
    task = Task(data, settings or TaskSettings(), CPU)
    module = registry.load("model", model)
    context = RunContext(seed=0, device=CPU)
    context.begin()
    made = module.Model(task.shape, module.Config())
    found = evaluate(made, task, context, batch_size=batch_size)
    assert task.test_reads == 1
    return found.sample


def test_a_sample_comes_back_with_its_gaps_and_its_rule():
    packed = json.loads(json.dumps(pack(sample()), allow_nan=False))
    back = unpack(packed, "x")
    np.testing.assert_array_equal(back.truth, TRUTH)
    np.testing.assert_array_equal(back.forecast, sample().forecast)
    assert replace(back, truth=None, forecast=None) == replace(sample(), truth=None, forecast=None)
    assert packed["rule"] == RULE


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"grid": [2, 2]}, id="another grid"),
        pytest.param({"grid": [-2, -3]}, id="a negative grid"),
        pytest.param({"grid": [2, 3, 1]}, id="three axes"),
        pytest.param({"grid": None}, id="no grid"),
        pytest.param({"truth": "!"}, id="no base64"),
        pytest.param({"truth": "AAA="}, id="a torn value"),
        pytest.param({"truth": 5}, id="a number"),
        pytest.param({"forecast": pack(sample())["truth"]}, id="a forecast with gaps"),
        pytest.param({"slot": 48}, id="a slot beyond the day"),
        pytest.param({"slot": True}, id="a slot of truth"),
        pytest.param({"step": 0}, id="no step"),
        pytest.param({"origin": -1}, id="before the data"),
        pytest.param({"weekday": 7}, id="an eighth day"),
        pytest.param({"weekday": "Monday"}, id="a day in words"),
        pytest.param({"unit": None}, id="no unit"),
        pytest.param({"channel": ["in"]}, id="a list of channels"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(change):
    with pytest.raises(StoreError, match=r"the sample forecast of run 7 cannot be read .* move it away and run again"):
        unpack(pack(sample()) | change, "run 7")


def test_a_sample_without_a_key_is_one_sentence():
    for key in pack(sample()).keys() - {"rule"}:
        with pytest.raises(StoreError, match="the sample forecast of run 7 cannot be read"):
            unpack({name: value for name, value in pack(sample()).items() if name != key}, "run 7")


def test_the_sample_is_the_busiest_last_step_of_a_test_window_and_what_the_model_said_of_it():
    data = make_data()
    found = evaluated(data)
    frames = data.values[:, 0]
    reachable = range(340 + 5, 400)  # the test part begins at slot 340; the last of six steps
    busiest = max(reachable, key=lambda slot: frames[slot].sum())
    assert (found.origin, found.step) == (busiest - 5, 6)
    assert (found.slot, found.weekday, found.per_day) == (busiest % 48, busiest // 48 % 7, 48)
    np.testing.assert_array_equal(found.truth, frames[busiest])
    np.testing.assert_allclose(found.forecast, frames[busiest - 6], rtol=1e-5)


def test_every_model_and_batch_size_keeps_the_same_window_and_the_batch_changes_no_forecast():
    data = make_data()
    found = [evaluated(data, "stid", size) for size in (64, 7)] + [evaluated(data, "window_mean")]
    assert len({each.origin for each in found}) == 1
    for other in found[1:]:
        np.testing.assert_array_equal(other.truth, found[0].truth)
    np.testing.assert_array_equal(found[0].forecast, found[1].forecast)


def test_missing_values_count_as_nothing_and_stay_gaps():
    data = make_data()
    mask = np.ones(data.values.shape, dtype=bool)
    busiest = evaluated(data).origin + 5
    mask[busiest, 0, 1:] = False  # two thirds of its cells
    cells = np.ones((3, 4), dtype=bool)
    cells[0, 0] = False
    found = evaluated(replace(data, mask=mask, cell_mask=cells))
    assert found.origin + 5 != busiest
    assert np.argwhere(np.isnan(found.truth)).tolist() == [[0, 0]]
    assert np.isfinite(found.forecast).all()


def test_without_a_value_at_any_last_step_there_is_no_sample():
    data = make_data()
    mask = np.ones(data.values.shape, dtype=bool)
    mask[345:, 0] = False
    assert evaluated(replace(data, mask=mask)) is None


def test_a_record_names_channel_unit_and_day(catalog, tmp_path):
    runs = plan(load_suite("short_term"), Selection(models=("last_value",), datasets=("tiny",)), catalog)
    runner = Runner(catalog, tmp_path / "results", CPU)
    runner.run(runs)
    (record,) = runner.store.records()
    found = unpack(record["sample"], record["run_id"])
    assert (found.channel, found.unit, found.truth.shape) == ("in", "trips", (3, 4))
    assert found.weekday == (found.origin + 5) // 48 % 7  # the data begin on a Monday
