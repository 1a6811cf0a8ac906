"""Models of a user's own, as a notebook has them, and how these are scored there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import Tensor, nn

import bench
from bench.catalog import registry
from bench.records.record import DoneRun
from bench.types import TaskShape, Window

BUDGET: Final[Mapping[str, Any]] = {"train.epochs": 2, "train.steps_per_epoch": 3, "train.batch_size": 16}
Stid = registry.load("model", "stid")


def evaluated(folder: Path, model: Any, dataset: str = "tiny", *, settings: Any = BUDGET, **choices: Any) -> DoneRun:
    """``bench.evaluate`` with a tiny budget on a data set of this folder."""
    return bench.evaluate(model, dataset, settings=settings, **{"data_dir": folder} | choices)


class Steps(nn.Module):
    """A linear map of the history's steps, made from the shape alone."""

    def __init__(self, shape: TaskShape) -> None:
        super().__init__()
        self.linear = nn.Linear(shape.history, shape.horizon)

    def forward(self, window: Window) -> Tensor:
        return self.linear(window.history.movedim(1, -1)).movedim(-1, 1)


class OwnStid(Stid.Model):
    """STID under another name, with a ``Config`` of its own."""

    @dataclass(frozen=True, kw_only=True)
    class Config(Stid.Config):
        width: int = 16
