"""Two toy cities on grids of their own, and models that can be transferred between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from builders import make_data
from torch import Tensor, nn

from bench.context import RunContext
from bench.settings import TASKS, TrainSettings
from bench.task import Task
from bench.train import Training
from bench.transfer import Transfer, transfer_task
from bench.types import SpatioTemporalData, TaskShape, Window

CPU = torch.device("cpu")
RECIPE = TrainSettings(epochs=3, batch_size=16, steps_per_epoch=6)


class Line:
    """The plug-in of a linear map of every cell's history, the same for all cells."""

    class Config:
        """No settings."""

    class Model(nn.Module):
        def __init__(self, shape: TaskShape, config: object = None) -> None:
            super().__init__()
            self.linear = nn.Linear(shape.history, shape.horizon)

        def forward(self, window: Window) -> Tensor:
            forecast: Tensor = self.linear(window.history.movedim(1, -1)).movedim(-1, 1)
            return forecast


def city(grid: tuple[int, int], *, slots: int = 400, seed: int = 0, **facts: Any) -> SpatioTemporalData:
    """Counts around a daily wave, another city with each seed."""
    random = np.random.default_rng(seed)
    wave = 1.2 + np.sin(2 * np.pi * np.arange(slots) / 48 + seed)[:, None, None, None]
    values = random.poisson(wave * random.uniform(5, 40, size=(2, *grid))).astype(np.float32)
    return make_data(slots=slots, grid=grid, values=values, **facts)


def opened(
    target: SpatioTemporalData,
    *sources: SpatioTemporalData,
    task: str = "transfer",
    plugin: Any = Line,
    **switches: Any,
) -> Task:
    settings = replace(TASKS[task], sources="a,b", **switches)
    return transfer_task(plugin, target, sources, settings, CPU)


def transferred(
    task: Task, plugin: Any = Line, recipe: TrainSettings = RECIPE, **given: Any
) -> tuple[nn.Module, Training]:
    """A model that was trained on the sources of a task, and on the task's own windows if it has any."""
    context = RunContext(seed=3, device=CPU)
    context.begin()
    model = plugin.Model(task.shape)
    return model, Transfer(make=plugin.Model, settings=recipe, context=context).train(model, task, **given)


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())
