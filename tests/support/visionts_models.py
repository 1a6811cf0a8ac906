"""VisionTS and its windows, as tests of it want them."""

from __future__ import annotations

from dataclasses import replace

import torch
from models import make_window

from baselines.visionts import DAYS_BACK, Config, Model
from bench.types import TaskShape, Window


def window_of(shape: TaskShape, batch: int = 2, seed: int = 0) -> Window:
    return make_window(shape, batch, seed, model="visionts")


def built(shape: TaskShape, seed: int = 0, **settings: object) -> Model:
    torch.manual_seed(seed)
    return Model(replace(shape, days_back=DAYS_BACK), Config(**settings)).eval()
