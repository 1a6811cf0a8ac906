"""The days before for models whose file does not ask for them: further steps in front of the history.

So every model that is trained can be given the same information, whatever it is made of: to it the history is longer,
first the steps to forecast as they were so many days ago, the longest ago first, then the history proper with the last
value at its end. What is asked for, by a model's file or for all, is told apart here, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor, nn

from bench.errors import TaskError
from bench.settings import TaskSettings
from bench.types import DatasetCard, TaskShape, Window

DAYS_OF_A_WEEK: Final = 7


def days_asked_for(
    settings: TaskSettings, own: tuple[int, ...], card: DatasetCard
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The days before in ``Window.past``, in its order, and those of them that the task withholds.

    A model whose file asks for days finds just these, as it is written for them; to any other the task's are offered.
    Where the season is the year there are no weeks to look back for: a model that wants the same day of last week does
    not mean the year seven years ago.

    Raises:
        TaskError: If ``own`` are no whole numbers of days from 1 on, or the settings name weeks where there are none.
    """
    if any(type(days) is not int or days < 1 for days in own):
        raise TaskError(f"DAYS_BACK is {own!r}, wanted whole numbers of days, 1 or more")
    given = tuple(own) if settings.days is None else settings.days
    if card.yearly:
        if weeks := [days for days in settings.days or () if days % DAYS_OF_A_WEEK == 0]:
            raise TaskError(
                f"task.days_back names {weeks[0]}, which are weeks, but a step of '{card.name}' is a week or a month, "
                "so days before are years; say task.days_back=1 for the year before"
            )
        given = tuple(days for days in given if days % DAYS_OF_A_WEEK)
    days_back = tuple(own) or given
    return days_back, tuple(days for days in days_back if days not in given)


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
