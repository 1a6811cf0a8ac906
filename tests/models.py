"""Models, their inputs and their weights, as tests of models want them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench import registry
from bench.types import Fittable, Series, TaskShape, Window

SLOTS = 48


def task_shape(
    grid: tuple[int, int] = (6, 5), channels: int = 2, horizon: int = 3, history: int = 4, slots: int = SLOTS
) -> TaskShape:
    return TaskShape(history=history, horizon=horizon, channels=channels, grid=grid, slots_per_day=slots)


def clock(*size: int, slots: int = SLOTS) -> Tensor:
    return torch.stack((torch.randint(slots, size), torch.randint(7, size)), dim=-1)


def make_window(shape: TaskShape, batch: int = 3, seed: int = 0, model: str = "") -> Window:
    """A random window, with the past that the named model asks for."""
    torch.manual_seed(seed)
    days = len(getattr(registry.load("model", model), "DAYS_BACK", ())) if model else 0
    return Window(
        past=torch.randn(batch, days, shape.horizon, shape.channels, *shape.grid) if days else None,
        history=torch.randn(batch, shape.history, shape.channels, *shape.grid),
        history_clock=clock(batch, shape.history, slots=shape.slots_per_day),
        horizon_clock=clock(batch, shape.horizon, slots=shape.slots_per_day),
    )


def make_series(shape: TaskShape, steps: int, observed: float = 1.0, seed: int = 0) -> Series:
    torch.manual_seed(seed)
    size = (steps, shape.channels, *shape.grid)
    slots = shape.slots_per_day
    time = torch.arange(steps)
    ticks = torch.stack((time % slots, time // slots % 7), dim=-1)
    return Series(values=torch.randn(size), clock=ticks, mask=torch.rand(size) < observed)


def build(name: str, shape: TaskShape, seed: int = 0, series: Series | None = None) -> nn.Module:
    """A model of this name with its default settings, in evaluation mode; one to fit is fitted, to noise if need be."""
    module = registry.load("model", name)
    torch.manual_seed(seed)
    model: nn.Module = module.Model(shape, module.Config())
    if isinstance(model, Fittable):
        model.fit(make_series(shape, 8 * shape.slots_per_day) if series is None else series)
    return model.eval()


def trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]


def size_of(model: nn.Module) -> int:
    return sum(weight.numel() for _, weight in trained(model))
