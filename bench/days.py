"""The days before for models whose file does not ask for them: further steps in front of the history.

So every model that is trained can be given the same information, whatever it is made of: to it the history is longer,
first the steps to forecast as they were so many days ago, the longest ago first, then the history proper with the last
value at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from bench.types import TaskShape, Window


def given_days(
    make: Callable[[TaskShape], nn.Module], shape: TaskShape, trained: Callable[[nn.Module], bool]
) -> nn.Module:
    """A model whose file does not ask for days before, in a task that offers some.

    One that is trained by steps finds them in its history. Any other goes without: a naive baseline and a frozen model
    would take them for the history, and a fit in closed form sees the series and not the windows.
    """
    longer = replace(shape, history=shape.history + len(shape.days_back) * shape.horizon, days_back=())
    model = make(longer)
    return DaysInHistory(model) if trained(model) else make(replace(shape, days_back=()))


class DaysInHistory(nn.Module):
    """A model that was built for the longer history."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, window: Window) -> Tensor:
        forecast: Tensor = self.model(with_days_in_history(window))
        return forecast


def with_days_in_history(window: Window) -> Window:
    """The same inputs with the past ``[B, K, F, ...]`` as K*F steps in front of the history."""
    past, valid, clock = window.past, window.past_valid, window.past_clock
    assert past is not None and valid is not None and clock is not None  # noqa: S101, PT018 - the shape has days
    return Window(
        history=torch.cat((past.flatten(1, 2), window.history), dim=1),
        history_valid=torch.cat((valid.flatten(1, 2), window.history_valid), dim=1),
        history_clock=torch.cat((clock.flatten(1, 2), window.history_clock), dim=1),
        horizon_clock=window.horizon_clock,
    )
