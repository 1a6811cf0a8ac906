"""A model given as text, trained, scored and audited on a toy city."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import make_data
from hostile import written

from bench.context import RunContext
from bench.runs.evaluator import RunOutcome, run_model
from bench.runs.isolation import call
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task

CPU = torch.device("cpu")
TRAIN = TrainSettings(epochs=2, steps_per_epoch=2, batch_size=8, precision="fp32")
LAST = "repeated(window.history[:, -1:], window) + self.level"
NAMES = count()

Run = Callable[..., RunOutcome]


def runs_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Train, score and audit a model given as text, on a toy city with three batches of test windows."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def carry_out(text: str, seed: int = 0, scored: int = 0, horizon: int = 6, **choices: Any) -> RunOutcome:
        plugin = written(tmp_path, f"model_{next(NAMES)}", text)
        task = Task(make_data(slots=900), TaskSettings(name="short", scored=scored, horizon=horizon), CPU)
        context = RunContext(seed=seed, device=CPU)
        return run_model(plugin, {}, TRAIN, lambda: task, context, **{"elsewhere": call} | choices)  # type: ignore[arg-type]

    return carry_out
