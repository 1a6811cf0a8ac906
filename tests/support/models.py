"""Models, their inputs and their weights, as tests of models want them."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from bench.catalog import registry
from bench.train import make_model
from bench.types import Series, TaskShape, Window

SLOTS = 48


def task_shape(
    grid: tuple[int, int] = (6, 5),
    channels: int = 2,
    horizon: int = 3,
    history: int = 4,
    slots: int = SLOTS,
    days_back: tuple[int, ...] = (),
) -> TaskShape:
    return TaskShape(
        history=history, horizon=horizon, channels=channels, grid=grid, slots_per_day=slots, days_back=days_back
    )


def clock(*size: int, slots: int = SLOTS) -> Tensor:
    return torch.stack((torch.randint(slots, size), torch.randint(7, size)), dim=-1)


def days_of(model: str) -> tuple[int, ...]:
    """The days before that a model's file asks for."""
    return tuple(getattr(registry.load("model", model), "DAYS_BACK", ()))


def make_window(shape: TaskShape, batch: int = 3, seed: int = 0, model: str = "") -> Window:
    """A random window without gaps, with the past of the shape, or that the named model asks for."""
    torch.manual_seed(seed)
    days = len(days_of(model) if model else shape.days_back)
    past = torch.randn(batch, days, shape.horizon, shape.channels, *shape.grid) if days else None
    history = torch.randn(batch, shape.history, shape.channels, *shape.grid)
    return Window(
        past=past,
        past_valid=None if past is None else torch.ones_like(past, dtype=torch.bool),
        past_clock=clock(batch, days, shape.horizon, slots=shape.slots_per_day) if days else None,
        history=history,
        history_valid=torch.ones_like(history, dtype=torch.bool),
        history_clock=clock(batch, shape.history, slots=shape.slots_per_day),
        horizon_clock=clock(batch, shape.horizon, slots=shape.slots_per_day),
    )


def make_series(shape: TaskShape, steps: int, observed: float = 1.0, seed: int = 0) -> Series:
    torch.manual_seed(seed)
    size = (steps, shape.channels, *shape.grid)
    slots = shape.slots_per_day
    time = torch.arange(steps)
    ticks = torch.stack((time % slots, time // slots % 7), dim=-1)
    origins = torch.arange(shape.history, max(shape.history, steps - shape.horizon + 1))
    return Series(values=torch.randn(size), clock=ticks, mask=torch.rand(size) < observed, origins=origins)


def build(name: str, shape: TaskShape, seed: int = 0, series: Series | None = None) -> nn.Module:
    """A model of this name with its default settings, in evaluation mode; one to fit is fitted, to noise if need be."""
    module = registry.load("model", name)
    torch.manual_seed(seed)
    config = dataclasses.asdict(registry.config_class(name)())
    known = shape if shape.days_back else dataclasses.replace(shape, days_back=days_of(name))
    model = make_model(module, config, known, torch.device("cpu"))
    if hasattr(model, "fit"):
        model.fit(make_series(shape, 8 * shape.slots_per_day) if series is None else series)
    return model.eval()


def trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def size_of(model: nn.Module) -> int:
    return sum(weight.numel() for _, weight in trained(model))


def double(model: nn.Module) -> nn.Module:
    """The model in float64 with every weight and running statistic drawn anew, so that no zero hides a mistake."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.3)
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 2.0)
    return model.double()


def double_window(shape: TaskShape, batch: int = 2) -> Window:
    window = make_window(shape, batch)
    return dataclasses.replace(window, history=window.history.double())


def unreached(model: nn.Module, window: Window) -> list[str]:
    """Names of the trained weights that the sum of a forecast's squares has no gradient for."""
    model.zero_grad()
    model(window).square().sum().backward()
    return [name for name, weight in trained(model) if weight.grad is None or not weight.grad.any()]


def conv(layer: nn.Conv2d, inputs: Tensor, **settings: int) -> Tensor:
    return conv2d(inputs, layer.weight, layer.bias, **settings)


def with_statistics(model: nn.Module) -> nn.Module:
    """The model in evaluation mode, its norms with weights and running statistics as if it had been trained."""
    torch.manual_seed(1)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm1d):
            for values in (norm.weight, norm.running_var):
                nn.init.uniform_(values, 0.5, 2.0)
            for values in (norm.bias, norm.running_mean):
                nn.init.normal_(values)
    return model.eval()
