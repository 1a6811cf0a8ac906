"""ST-VFM with settings for tests, and its parts."""

from __future__ import annotations

from typing import Any

import torch
from models import make_window, task_shape
from torch import Tensor, nn

from bench.types import TaskShape
from stvfm import backbones
from stvfm.backbones import LIBRARIES
from stvfm.model import Config, Model

BASE: dict[str, Any] = {"depth": 1, "patch": 2, "layers": 2}


def make_model(config: Config | None = None, shape: TaskShape | None = None, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model(shape or task_shape(), config or Config(depth=1))


def built(**changes: Any) -> Model:
    return make_model(Config(**BASE | changes))


def opened(model: Model) -> Model:
    """With every gate and every low-rank correction off its start at 0, where it would hide what is behind it."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(".gate"):
                weight.fill_(0.5)
            if name.endswith("weight.0.b"):
                weight.normal_(std=0.1)
    return model


def forecast(model: Model) -> Tensor:
    with torch.inference_mode():
        return model.eval()(make_window(task_shape(), model="stvfm"))


def weights_of(model: Model, part: str) -> dict[str, Tensor]:
    module = getattr(model, part)
    return {} if module is None else {name: value.detach() for name, value in module.named_parameters()}


def trained(model: nn.Module) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


def published(name: str) -> nn.Module:
    """A model with weights of its own, as its authors might have trained it."""
    facts = backbones.BACKBONES[name]
    torch.manual_seed(5)
    model = LIBRARIES[facts.library].make(facts, facts.depth)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return model.eval()
