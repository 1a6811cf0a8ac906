"""Training steps to be timed: a model on random windows of a 10 x 20 grid, without an optimizer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from bench.catalog import registry
from bench.errors import ConfigError
from bench.frozen import cast_once
from bench.train import learning, make_model
from bench.types import TaskShape, Window

SHAPE = TaskShape(history=6, horizon=6, channels=2, grid=(10, 20), slots_per_day=48)


def model_of(name: str, device: torch.device, settings: Mapping[str, Any] | None = None) -> nn.Module:
    """A registered model with random initial weights.

    Args:
        name: Of the model.
        device: Where it calculates.
        settings: In place of its defaults.

    Raises:
        ConfigError: If the model makes no steps of training.
    """
    module = registry.load("model", name)
    config = {**asdict(registry.config_class(name)()), **(settings or {})}
    model = make_model(module, config, replace(SHAPE, days_back=days_of(name)), device)
    if learning(model) != "steps":
        raise ConfigError(
            f"{name} makes no steps of training that could be timed; name a model that does, such as stid"
        )
    return model


def days_of(name: str) -> tuple[int, ...]:
    """The days before that a model reads."""
    return tuple(getattr(registry.load("model", name), "DAYS_BACK", ()))


def window_of(batch: int, device: torch.device, days: int) -> Window:
    """Random windows, with so many days before."""
    before, ahead = (
        torch.zeros(batch, steps, 2, dtype=torch.long, device=device) for steps in (SHAPE.history, SHAPE.horizon)
    )
    history = torch.randn(batch, SHAPE.history, SHAPE.channels, *SHAPE.grid, device=device)
    past = torch.randn(batch, days, SHAPE.horizon, SHAPE.channels, *SHAPE.grid, device=device) if days else None
    return Window(
        history=history,
        history_valid=torch.ones_like(history, dtype=torch.bool),
        history_clock=before,
        horizon_clock=ahead,
        past=past,
        past_valid=None if past is None else torch.ones_like(past, dtype=torch.bool),
        past_clock=None if past is None else ahead[:, None].expand(-1, days, -1, -1),
    )


def seconds_of(model: nn.Module, window: Window, precision: Literal["fp32", "bf16"] = "fp32") -> float:
    """What a forecast and its gradients take; frozen weights are cast before, as in an epoch of training."""
    device = window.history.device
    wait: Callable[[], None] = partial(torch.cuda.synchronize, device) if device.type == "cuda" else lambda: None
    model.zero_grad(set_to_none=True)
    with cast_once(model, device, precision):
        wait()
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss: Tensor = model(window).abs().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        wait()
        return time.perf_counter() - started
