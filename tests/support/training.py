"""A small model in training on a toy city, whose validation may be told."""

from __future__ import annotations

import numpy as np
import torch
from builders import make_data
from torch import Tensor, nn

from bench.context import RunContext
from bench.metrics import WindowSums
from bench.scoring import Scored
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer
from bench.types import SpatioTemporalData, Window

CPU = torch.device("cpu")


SHORT = TrainSettings(epochs=4, batch_size=32, patience=9)


class Map(nn.Module):
    """A linear map of every cell's history with dropout, and a norm; it notes in which mode it was called."""

    def __init__(self, task: Task, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop, self.norm = nn.Dropout(dropout), nn.LayerNorm(task.shape.history)
        self.linear = nn.Linear(task.shape.history, task.shape.horizon)
        self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)
        self.modes: set[tuple[str, bool]] = set()

    def forward(self, window: Window) -> Tensor:
        self.modes.add(("learning" if torch.is_grad_enabled() else "forecasting", self.training))
        forecast: Tensor = self.linear(self.norm(self.drop(window.history.movedim(1, -1)))).movedim(-1, 1)
        return forecast


def gappy(share: float = 0.2) -> SpatioTemporalData:
    """A toy city without a fifth of its values, among them all of one cell."""
    plain = make_data(slots=200, grid=(2, 2))
    mask = np.random.default_rng(5).random(plain.values.shape) >= share
    mask[:, :, 0, 0] = False
    return make_data(slots=200, grid=(2, 2), mask=mask)


def start(
    settings: TrainSettings = SHORT, *, seed: int = 0, data: SpatioTemporalData | None = None, dropout: float = 0.0
) -> tuple[Trainer, Map]:
    """A trainer whose model has the same weights whatever the seed."""
    task = Task(make_data(slots=200) if data is None else data, TaskSettings(name="short"), CPU)
    torch.manual_seed(0)
    model = Map(task, dropout)
    context = RunContext(seed=seed, device=CPU)
    context.begin()
    return Trainer(model, task, settings, context), model


def told(trainer: Trainer, *errors: float) -> list[dict[str, Tensor]]:
    """Validation says these errors, epoch by epoch, of no window; the weights that it saw are kept."""
    values, seen = iter(errors), []
    nothing = Scored(
        windows=trainer.task.val,
        sums=WindowSums(np.zeros((0, 6, 2, 8))),
        positions=torch.zeros(0, dtype=torch.long),
        forecasts=torch.zeros(0, 6, 2, 3, 4),
    )

    def validate() -> tuple[float, Scored]:
        seen.append({name: value.clone() for name, value in trainer.model.state_dict().items()})
        return next(values), nothing

    trainer._validate = validate  # type: ignore[method-assign]
    return seen


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())
