"""Few scored windows: which they are, that they are the same for all, and that no other is looked at."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from audited import LAST, Run, runs_of_models
from builders import make_data
from hostile import model_text
from hypothesis import given
from hypothesis import strategies as st

from bench.catalog import registry
from bench.context import RunContext
from bench.errors import AuditError, TaskError
from bench.runs.audit import _ways
from bench.runs.evaluator import run_model
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.windows import spread

CPU = torch.device("cpu")
ALL = TaskSettings(name="short")
FEW = dataclasses.replace(ALL, scored=9)
TRAIN = TrainSettings(epochs=1, steps_per_epoch=2, batch_size=8, precision="fp32")


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    return runs_of_models(tmp_path, monkeypatch)


@given(count=st.integers(1, 5000), most=st.integers(0, 200))
def test_positions_are_evenly_spread_and_have_the_first_and_the_last(count, most):
    chosen = spread(count, most)
    assert len(chosen) == (min(count, most) or count)
    assert chosen[0] == 0
    if len(chosen) > 1:
        assert chosen[-1] == count - 1
        steps = np.diff(chosen)
        assert 1 <= steps.min() <= steps.max() <= steps.min() + 1


def test_few_windows_of_validation_and_test_are_scored_and_training_has_all_of_its_own():
    data = make_data(slots=1000)
    every, few = Task(data, ALL, CPU), Task(data, FEW, CPU)
    assert few.counts() == {**every.counts(), "val": 9, "test": 9}
    assert few.first_origins() == every.first_origins()
    assert torch.equal(few.train.origins, every.train.origins)
    assert few.epoch_windows == every.epoch_windows
    assert torch.equal(few.scaler.center, every.scaler.center)
    windows = few.open_test()
    assert windows.origins.tolist() == every.open_test().origins[spread(145, 9)].tolist()


def test_a_split_with_fewer_windows_is_scored_whole():
    task = Task(make_data(slots=200), dataclasses.replace(ALL, scored=1000), CPU)
    assert (len(task.val), len(task.open_test())) == (25, 25)


def test_of_a_small_share_of_the_windows_few_are_scored_within_it():
    task = Task(make_data(slots=1000), TaskSettings(name="few10", fraction=0.1, scored=3), CPU)
    assert task.val.origins.tolist() == [700, 706, 713]


def test_whatever_a_model_asks_for_it_is_scored_on_the_same_windows():
    data = make_data(slots=20 * 48)
    tasks = [Task(data, FEW, CPU, days_back=days) for days in ((), (1,), (7, 1))]
    assert len({tuple(task.val.origins.tolist()) for task in tasks}) == 1
    assert len({tuple(task.open_test().origins.tolist()) for task in tasks}) == 1


@pytest.mark.parametrize("model", ["last_value", "stid"])
def test_no_target_of_another_test_window_is_read(model):
    data = make_data(slots=900)
    origins = Task(data, FEW, CPU).open_test().origins.numpy()
    read = (origins[:, None] + np.arange(-6, 6)).ravel()
    other = np.setdiff1d(np.arange(765, 900), read)  # of the test period
    assert len(other) > 20
    changed = data.values.copy()
    changed[other] = 1e6
    outcomes = [scored(model, dataclasses.replace(data, values=values)) for values in (data.values, changed)]
    assert outcomes[0].scores == outcomes[1].scores
    assert outcomes[0].windows == outcomes[1].windows
    assert outcomes[0].forecast_map == outcomes[1].forecast_map


def scored(model, data):
    plugin, context = registry.load("model", model), RunContext(seed=0, device=CPU)
    return run_model(plugin, {}, TRAIN, lambda: Task(data, FEW, CPU), context).evaluation


def test_a_split_whose_few_windows_have_no_value_is_refused():
    data = make_data(slots=900)
    origins = Task(data, FEW, CPU).open_test().origins.numpy()
    mask = np.ones(data.values.shape, dtype=bool)
    mask[(origins[:, None] + np.arange(6)).ravel()] = False
    with pytest.raises(TaskError, match=r"in the 9 scored windows of the test split .* raise task\.scored"):
        Task(dataclasses.replace(data, mask=mask), FEW, CPU)


def test_the_audit_shows_a_model_the_targets_of_few_windows_too(run):
    body = f"""
    forecast = {LAST}
    if not self.training:
        for row, history in enumerate(window.history):
            forecast[row] = forecast[row] + self.after.get(history[-1].numpy().tobytes(), 0.0)
        for history in window.history:
            for first, second in zip(history[:-1], history[1:]):
                self.after[first.numpy().tobytes()] = float((second - first).mean())
    return forecast
    """
    remembers = model_text(body, made="self.after = {}")
    with pytest.raises(AuditError, match="memory across calls"):
        run(remembers, scored=9)


@pytest.mark.parametrize("horizon", [3, 6, 14])
def test_the_audit_shows_a_model_the_last_frame_of_few_windows_too(run, horizon):
    body = f"""
    forecast = {LAST}
    if not self.training:
        for row, clock in enumerate(window.horizon_clock[:, -1].tolist()):
            forecast[row] = forecast[row] + self.at.get(tuple(clock), 0.0)
        for row, clock in enumerate(window.history_clock[:, -1].tolist()):
            self.at[tuple(clock)] = 1.0
    return forecast
    """
    remembers = model_text(body, made="self.at = {}")
    with pytest.raises(AuditError, match="memory across calls"):
        run(remembers, scored=5, horizon=horizon)


@given(history=st.integers(1, 20), horizon=st.integers(1, 40))
def test_the_histories_that_an_audit_shows_hold_every_frame_of_a_target_and_the_step_to_it(history, horizon):
    shown = [range(steps - history, steps) for steps in _ways(history, horizon)]
    assert {*range(horizon)} <= {slot for frames in shown for slot in frames}
    if history > 1:
        pairs = {pair for frames in shown for pair in itertools.pairwise(frames)}
        assert {(step - 1, step) for step in range(horizon)} <= pairs
