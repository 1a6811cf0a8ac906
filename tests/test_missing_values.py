"""What is missing or pads the grid counts nowhere, and a window has its own steps in their own order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from builders import make_data

from bench.settings import TaskSettings
from bench.task import Task
from bench.types import SpatioTemporalData

CPU = torch.device("cpu")
CELLS = np.array([[True, True, False], [True, True, True]])


def gappy(*, wild: bool = False, segments: tuple[tuple[int, int], ...] | None = None) -> SpatioTemporalData:
    """A toy city with a third of its values missing and a cell of padding; what does not count is 0, or wild."""
    plain = make_data(slots=200, grid=(2, 3))
    mask = np.random.default_rng(1).random(plain.values.shape) >= 1 / 3
    counts = mask & CELLS
    values = np.where(counts, plain.values, np.float32(9e5 if wild else 0))
    return make_data(slots=200, grid=(2, 3), values=values, mask=mask, cell_mask=CELLS, segments=segments)


@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("leaky", [False, True])
def test_the_scaler_is_fitted_to_what_was_measured_channel_by_channel(*, wild: bool, leaky: bool) -> None:
    data = gappy(wild=wild)
    scaler = Task(data, TaskSettings(name="short", leaky_scaler=leaky), CPU).scaler
    assert data.mask is not None
    for channel in (0, 1):
        seen = [
            float(data.values[place[0], channel, place[1], place[2]])
            for place in np.ndindex(200 if leaky else 140, 2, 3)
            if data.mask[place[0], channel, place[1], place[2]] and CELLS[place[1], place[2]]
        ]
        low, high, mean = min(seen), max(seen), math.fsum(seen) / len(seen)
        deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in seen) / len(seen))
        wanted = ((high + low) / 2, (high - low) / 2) if leaky else (mean, deviation)
        assert float(scaler.center[channel]) == pytest.approx(wanted[0], rel=1e-6)
        assert float(scaler.scale[channel]) == pytest.approx(wanted[1], rel=1e-6)
        assert (float(scaler.low[channel]), float(scaler.high[channel])) == (low, high)


def test_channels_have_scalers_of_their_own() -> None:
    scaler = Task(gappy(), TaskSettings(name="short"), CPU).scaler
    assert abs(float(scaler.center[0] - scaler.center[1])) > 1


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_target_counts_where_it_was_measured_in_a_cell_of_the_city(split: str) -> None:
    data = gappy(wild=True)
    task = Task(data, TaskSettings(name="short"), CPU)
    windows = {"train": task.train, "val": task.val}.get(split) or task.open_test()
    assert data.mask is not None
    for position in (0, len(windows) - 1):
        origin = int(windows.origins[position])
        target, valid = (part[0].numpy() for part in windows.target(torch.tensor([position])))
        for step in range(6):  # in the order of time
            np.testing.assert_array_equal(valid[step], data.mask[origin + step] & CELLS)
            np.testing.assert_array_equal(target[step][valid[step]], data.values[origin + step][valid[step]])


def test_what_is_missing_looks_to_a_model_like_the_training_mean() -> None:
    wild, plain = (Task(gappy(wild=wild), TaskSettings(name="short"), CPU, days_back=(1,)) for wild in (True, False))
    every = torch.arange(len(wild.train))
    first, second = wild.train.window(every), plain.train.window(every)
    assert torch.equal(first.history, second.history)
    assert first.past is not None
    assert second.past is not None
    assert torch.equal(first.past, second.past)
    assert (first.history == 0).float().mean() > 0.3


def test_history_ends_where_the_target_begins_and_their_clocks_go_on() -> None:
    data = make_data(slots=200)
    task = Task(data, TaskSettings(name="short", history=3, horizon=2), CPU)
    window, origin = task.val.window(torch.tensor([4])), int(task.val.origins[4])
    assert window.history_clock[0].tolist() == data.clock[origin - 3 : origin].tolist()
    assert window.horizon_clock[0].tolist() == data.clock[origin : origin + 2].tolist()
    for step in range(3):
        wanted = torch.from_numpy(data.values[origin - 3 + step])
        torch.testing.assert_close(task.scaler.physical(window.history[0, step]), wanted)
