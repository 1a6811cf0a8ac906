"""Models that are fitted in closed form learn from what was measured, and from no window that crosses a gap in time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from builders import make_data
from torch import Tensor

from bench.catalog import registry
from bench.settings import TaskSettings
from bench.task import Task
from bench.train import make_model
from bench.types import SpatioTemporalData

CPU = torch.device("cpu")
SETTINGS = TaskSettings(name="short", history=3, horizon=2)
SEGMENTS = ((0, 61), (61, 64), (64, 100), (100, 180))  # the second is too short for a window
FITTED = [name for name in registry.model_names() if registry.is_fitted(name)]


def measured(*, gaps: bool = True, missing: float = 0.1) -> SpatioTemporalData:
    """A toy city with gaps in time, missing values and a cell of padding."""
    cells = np.array([[True, False], [True, True]])
    plain = make_data(slots=180, grid=(2, 2))
    mask = np.random.default_rng(3).random(plain.values.shape) >= missing
    return make_data(slots=180, grid=(2, 2), cell_mask=cells, mask=mask, segments=SEGMENTS if gaps else None)


def fitted(name: str, task: Task) -> torch.nn.Module:
    model = make_model(registry.load("model", name), dataclasses.asdict(registry.config_class(name)()), task.shape, CPU)
    model.fit(task.series)
    return model.eval()


def slow_weights(data: SpatioTemporalData, task: Task, cell: tuple[int, int], penalty: float) -> Tensor:
    """Ridge of one cell, slot by slot: of windows that lie in one segment and whose target was measured throughout."""
    rows, targets = [], []
    scaled = (torch.from_numpy(data.values) - task.scaler.center) / task.scaler.scale
    present = torch.from_numpy(data.mask & data.cell_mask)
    known = torch.where(present, scaled, 0)[:, :, *cell].double()
    for origin in range(task.train_stop - 1):
        window = range(origin - 3, origin + 2)
        whole = any(all(low <= slot < high for slot in window) for low, high in SEGMENTS)
        if whole and present[origin : origin + 2, :, *cell].all():
            calendar = torch.zeros(48 + 7, dtype=torch.float64)
            calendar[data.clock[origin, 0]] = calendar[48 + data.clock[origin, 1]] = 1
            rows.append(torch.cat((known[origin - 3 : origin].flatten(), calendar)))
            targets.append(known[origin : origin + 2].flatten())
    x, y = torch.stack(rows), torch.stack(targets)
    return torch.linalg.solve(x.T @ x + penalty * len(x) * torch.eye(x.shape[1]), x.T @ y)


def test_ridge_at_gaps_is_what_a_search_slot_by_slot_finds() -> None:
    data = measured()
    task = Task(data, SETTINGS, CPU)
    penalty = registry.config_class("ridge")().penalty
    weights = fitted("ridge", task).weights
    for number, cell in ((0, (0, 0)), (2, (1, 0)), (3, (1, 1))):
        torch.testing.assert_close(
            weights[number].double(), slow_weights(data, task, cell, penalty), rtol=1e-3, atol=1e-4
        )


def test_a_gap_changes_what_ridge_learns() -> None:
    whole, cut = (fitted("ridge", Task(measured(gaps=gaps), SETTINGS, CPU)).weights for gaps in (False, True))
    assert not torch.allclose(whole, cut, atol=1e-3)


def test_a_fit_is_handed_the_windows_that_others_are_trained_on() -> None:
    task = Task(measured(), dataclasses.replace(SETTINGS, fraction=0.5), CPU)
    series = task.series
    for position, origin in enumerate(series.origins.tolist()):
        window, (target, valid) = (read(torch.tensor([position])) for read in (task.train.window, task.train.target))
        torch.testing.assert_close(series.values[origin - 3 : origin], window.history[0])
        torch.testing.assert_close(series.values[origin : origin + 2], task.scaler.scaled(target[0]))
        assert torch.equal(series.mask[origin : origin + 2], valid[0])
        assert torch.equal(series.clock[origin : origin + 2], window.horizon_clock[0])


@pytest.mark.parametrize("name", FITTED)
def test_what_is_missing_teaches_a_fit_nothing(name: str) -> None:
    data = measured(missing=0.3)
    assert data.mask is not None
    wild = dataclasses.replace(data, values=np.where(data.mask, data.values, np.float32(1e6)))
    states = [fitted(name, Task(given, SETTINGS, CPU)).state_dict() for given in (data, wild)]
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


@pytest.mark.parametrize("name", FITTED)
def test_a_fit_to_nothing_but_a_level_is_finite(name: str) -> None:
    """All but one slot is missing, so most slots of the week and all windows of a cell are never seen whole."""
    data = measured(missing=0.999)
    assert data.mask is not None
    data.mask[[10, 130, 170]] = True
    task = Task(data, SETTINGS, CPU)
    assert fitted(name, task)(task.val.window(torch.arange(4))).isfinite().all()
