"""Errors by cell: against a slow loop over slots and cells, in every record, and which cells are idle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from builders import make_data
from torch import Tensor, nn

from bench.context import RunContext
from bench.records.arrays import CellErrors, values_of
from bench.runs.evaluator import evaluate
from bench.scoring import CellSums, idle_cells, score, window_sums
from bench.settings import TaskSettings
from bench.task import Task
from bench.types import SpatioTemporalData, Window

CPU = torch.device("cpu")
GRID = (3, 4)
IDLE, ONCE, ONE_CHANNEL, UNKNOWN, PADDING = (0, 1), (1, 0), (1, 2), (2, 2), (2, 3)


class LastValue(nn.Module):
    def forward(self, window: Window) -> Tensor:
        return window.history[:, -1:].expand(-1, 6, -1, -1, -1)


def city(units: str | tuple[str, str] = "trips") -> SpatioTemporalData:
    """A toy city with missing values; one cell has ever the same value, others nearly so."""
    plain = make_data(slots=400, grid=GRID)
    values = plain.values.copy()
    values[:, 0, *IDLE], values[:, 1, *IDLE] = 7, 2
    values[:, :, *ONCE] = 0
    values[100, 0, *ONCE] = 1
    values[:, 0, *ONE_CHANNEL] = 3
    mask = np.random.default_rng(2).random(values.shape) >= 0.1
    values[~mask] = np.where(np.arange((~mask).sum()) % 2, 99, -99)  # what stands where a value is missing
    mask[:280, :, *UNKNOWN] = False
    cells = np.ones(GRID, dtype=bool)
    cells[PADDING] = False
    values[:, :, *PADDING] = 0
    data = make_data(slots=400, grid=GRID, mask=mask)
    return replace(data, values=values, cell_mask=cells, card=replace(data.card, unit=units))


def task_of(data: SpatioTemporalData) -> Task:
    return Task(data, TaskSettings(name="short"), CPU)


def measured(data: SpatioTemporalData) -> Any:
    return evaluate(LastValue(), task_of(data), RunContext(seed=0, device=CPU))


def looped(data: SpatioTemporalData) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Number, absolute and squared errors ``[3, H, W]``, and absolute ones in the idle cell by window, from a loop."""
    task = task_of(data)
    center, scale = (part.flatten().double().numpy() for part in (task.scaler.center, task.scaler.scale))
    unit = scale if data.card.units_differ else np.ones(2)
    begin, end = task.split["test"]
    sums, idle = np.zeros((3, *GRID)), []
    assert data.mask is not None
    for origin in range(begin, end - 5):
        idle.append(0.0)
        for step, channel, row, column in np.ndindex(6, 2, *GRID):
            at = (channel, row, column)
            if not (data.mask[origin + step, *at] and data.cell_mask[row, column]):
                continue
            known = data.mask[origin - 1, *at]
            forecast = float(data.values[origin - 1, *at]) if known else center[channel]
            error = abs(forecast - float(data.values[origin + step, *at])) / unit[channel]
            sums[:, row, column] += (1, error, error**2)
            idle[-1] += error if (row, column) == IDLE else 0
    return sums, np.array(idle)


@pytest.mark.parametrize("units", ["trips", ("trips", "km/h")])
def test_sums_are_those_of_a_slow_loop(units: str | tuple[str, str]) -> None:
    data = city(units)
    cells = measured(data).windows.cells
    sums, idle = looped(data)
    assert cells.grid == GRID
    for name, wanted in zip(("count", "absolute", "square"), sums, strict=True):
        found = values_of(getattr(cells, name)).reshape(GRID)
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(values_of(cells.idle_absolute), idle, rtol=2e-6, atol=1e-5)
    assert idle.any(), "the training mean stands in where the idle cell's last value is missing"
    assert np.isnan(cells.mae_map[PADDING])
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(cells.mae_map, sums[1] / sums[0], rtol=2e-6)


def test_cells_add_up_to_windows() -> None:
    errors = measured(city()).windows
    for name in ("count", "absolute", "square"):
        by_window, by_cell = (values_of(getattr(part, name)).sum() for part in (errors, errors.cells))
        assert by_cell == pytest.approx(by_window, rel=1e-6)


def test_a_cell_is_idle_if_no_channel_changes_in_training_wherever_it_is_known() -> None:
    data = city()
    cells = measured(data).windows.cells
    wanted = np.zeros(GRID, dtype=bool)
    wanted[IDLE] = True
    assert (cells.idle_map == wanted).all(), "nothing else: neither padding, nor one of which nothing is known"
    assert cells.idle_share == pytest.approx(1 / 11)  # of the cells that count
    count, absolute = (values_of(sums).reshape(GRID) for sums in (cells.count, cells.absolute))
    assert cells.mae_in_use == pytest.approx(absolute[~wanted].sum() / count[~wanted].sum())
    assert cells.idle_error == pytest.approx(absolute[IDLE] / absolute.sum())


@pytest.mark.parametrize("slot", [0, 255, 256, 279])
@pytest.mark.parametrize("kept", [2**22, 256 * 24, 1])
def test_each_slot_of_the_training_split_is_looked_at_and_none_behind_it(
    slot: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.scoring.KEPT", kept)  # values at a time: all, 256 slots, one slot
    data = city()
    task = task_of(data)
    assert task.split["train"] == (0, 280)
    for changed, idle in ((slot, False), (280, True)):
        values, mask = data.values.copy(), data.mask.copy()  # type: ignore[union-attr]
        values[changed, 1, *IDLE], mask[changed, 1, *IDLE] = 5, True
        windows = task_of(replace(data, values=values, mask=mask)).open_test()
        assert bool(idle_cells(windows, (0, 280))[IDLE]) is idle


@pytest.mark.parametrize("few", [{"fraction": 0.1, "windows": "last"}, {"fraction": 0.1, "windows": "first"}])
def test_the_whole_training_split_is_looked_at_however_little_is_trained_on(few: dict[str, Any]) -> None:
    """So that the same cells are idle whatever the share; the cell of one count is idle in a tenth of the split."""
    data = city()
    task = Task(data, TaskSettings(name="few", **few), CPU)
    assert not task.train_start <= 100 < task.train_stop
    cells = evaluate(LastValue(), task, RunContext(seed=0, device=CPU)).windows.cells
    assert cells is not None
    assert cells.idle_map.tolist() == measured(data).windows.cells.idle_map.tolist()


def test_many_large_values_are_summed_exactly() -> None:
    task = task_of(make_data(slots=400, grid=(1, 1)))
    windows = task.open_test()
    cells = CellSums(windows, task)
    target, valid = windows.target(torch.arange(40))
    error = 2.0**13 + 0.5
    for _ in range(100):
        cells.add(target + error, target, valid)
    assert cells.sums[1].item() == 100 * valid.sum().item() * error  # 26 bits, more than float32 has


def test_where_no_cell_is_idle_nothing_is_kept_by_window() -> None:
    data = make_data(slots=400, grid=GRID)
    cells = measured(data).windows.cells
    assert isinstance(cells, CellErrors)
    assert (cells.idle_absolute, cells.idle_share, cells.idle_error) == (b"", 0, 0)
    assert cells.mae_in_use == pytest.approx(measured(data).scores["test"]["mae"].overall, rel=1e-6)


def test_batches_make_no_difference() -> None:
    task = task_of(city())
    windows = task.open_test()
    whole, parts = (score(LastValue().eval(), windows, task, by_cell=True, batch_size=size).by_cell for size in (64, 7))
    assert whole is not None
    assert parts is not None
    torch.testing.assert_close(whole.sums, parts.sums)
    torch.testing.assert_close(whole.of_idle, parts.of_idle)
    assert whole.of_idle.shape == (len(windows),)


def test_large_batches_are_summed_in_pieces_as_windows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(city())
    windows = task.open_test()
    generator = torch.Generator().manual_seed(0)
    target, valid = windows.target(torch.arange(10))
    forecast = torch.rand(target.shape, generator=generator)
    found = []
    for summed in (2**16, 1):
        monkeypatch.setattr("bench.scoring.SUMMED", summed)
        cells = CellSums(windows, task)
        cells.add(forecast, target, valid)
        sums = window_sums(forecast, target, valid, 1.0)
        assert float(cells.sums[1].sum()) == pytest.approx(float(sums[..., 1].sum()))
        found.append(cells)
    torch.testing.assert_close(found[0].sums, found[1].sums)
    torch.testing.assert_close(found[0].of_idle, found[1].of_idle)


def test_validation_is_not_summed_by_cell_in_training() -> None:
    task = task_of(city())
    assert score(LastValue().eval(), task.val, task).by_cell is None
