"""STID without its identity of cells: the same map for every cell, on any grid."""

from __future__ import annotations

from dataclasses import replace

import torch
from models import make_window, task_shape

from baselines import stid


def made(grid: tuple[int, int], *, identity: bool) -> stid.Model:
    torch.manual_seed(0)
    return stid.Model(replace(task_shape(), grid=grid), stid.Config(identity=identity)).eval()


def shapes(model: stid.Model) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in model.named_parameters()}


def test_no_weight_depends_on_the_grid_and_only_the_table_of_cells_does_with_it():
    small, large = (made(grid, identity=False) for grid in ((3, 4), (8, 5)))
    assert shapes(small) == shapes(large)
    small, large = (shapes(made(grid, identity=True)) for grid in ((3, 4), (8, 5)))
    assert {name for name in small if small[name] != large[name]} == {"cell"}


def test_cells_with_one_history_have_one_forecast():
    shape = task_shape()
    window = make_window(shape, batch=2)
    level = window.history[..., :1, :1].expand_as(window.history)
    forecast = made(shape.grid, identity=False)(replace(window, history=level))
    torch.testing.assert_close(forecast, forecast[..., :1, :1].expand_as(forecast))
    assert made(shape.grid, identity=False).layers[0].body[0].in_features == 96
