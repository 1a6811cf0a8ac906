"""Which inputs move the forecasts of a trained model: what a row of a table is said to have seen is measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from bench.context import RunContext
from bench.records.inputs import Inputs
from bench.task import Task
from bench.types import TaskShape, Window

PROBED = 4  # validation windows
DAYS = 7  # of a week
MOST_CLOCKS = 14  # settings of their clocks, with which forecasts of six half hours meet every half hour of the week
LEAST = 1e-4  # change of a scaled forecast; kernels may differ in the last bits


def inputs_read(model: Callable[[Window], Tensor], task: Task) -> Inputs:
    """Change one input after the other and see whether forecasts change.

    Days before that the task withholds are not read, whatever the model does with blanks. Cells are told apart by a
    model whose forecasts differ by cell where all cells have the same history and the same days before. Both clocks and
    cells are tried at many times of the week. What a model reads only in other windows than those that are tried, such
    as a day before where a later one is missing, is not seen.
    """
    windows = task.val
    chosen = torch.linspace(0, len(windows) - 1, PROBED, device=windows.origins.device).long()
    window = windows.window(chosen)
    with torch.inference_mode():
        usual = _forecast(model, window)

        def moves(**changed: Any) -> bool:
            return _differ(_forecast(model, replace(window, **changed)), usual)

        clocks = list(_other_clocks(window, task.shape)) if task.settings.calendar else []
        calendar = any(moves(**changed) for changed in clocks)
        levelled = _same_everywhere(window)
        alike = (_forecast(model, one) for one in (levelled, *(replace(levelled, **changed) for changed in clocks)))
        return Inputs(
            calendar=calendar,
            days_back=tuple(
                days
                for number, days in enumerate(windows.days_back)
                if days not in task.days_hidden and moves(**_other_day(window, number))
            ),
            place=any(_differ(each, each[..., :1, :1]) for each in islice(alike, None if calendar else 1)),
        )


def _forecast(model: Callable[[Window], Tensor], window: Window) -> Tensor:
    """Scaled; with the same draws each time, from whatever generator: random numbers go on as if none were drawn."""
    with RunContext(seed=0, device=window.history.device).own_random_numbers():
        return model(window).float()


def _differ(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() > LEAST).any())


def _other_clocks(window: Window, shape: TaskShape) -> Iterator[dict[str, Tensor]]:
    """Clocks moved to other times, spread over the week, or the year where it is the season, as evenly as they can."""
    days, per_day = 1 if shape.season == "year" else DAYS, shape.slots_per_day
    batch = len(window.horizon_clock)
    number = min(MOST_CLOCKS, math.ceil(days * per_day / (batch * shape.horizon)))
    starts = torch.arange(number * batch, device=window.history.device) * days * per_day // (number * batch)
    first = window.horizon_clock[:, 0, 1] * per_day + window.horizon_clock[:, 0, 0]  # [B], slots since the week began
    clocks = {name: getattr(window, name) for name in ("history_clock", "horizon_clock", "past_clock")}
    for start in starts.reshape(number, batch):
        later = start - first
        yield {name: _moved(clock, later, days, per_day) for name, clock in clocks.items() if clock is not None}


def _moved(clock: Tensor, slots: Tensor, days: int, per_day: int) -> Tensor:
    """Clocks ``[B, ..., 2]``, each window's by so many slots later, that go round in so many days."""
    at = clock[..., 1] * per_day + clock[..., 0] + slots.view(-1, *[1] * (clock.ndim - 2))
    return torch.stack([at % per_day, at // per_day % days], dim=-1)


def _other_day(window: Window, number: int) -> dict[str, Tensor]:
    """One of the days before by one standard deviation higher, and all of it observed."""
    assert window.past is not None and window.past_valid is not None  # noqa: S101, PT018 - there are days
    past, valid = window.past.clone(), window.past_valid.clone()
    past[:, number] += 1
    valid[:, number] = True
    return {"past": past, "past_valid": valid}


def _same_everywhere(window: Window) -> Window:
    """Every frame the same at all cells, all of it observed."""

    def level(frames: Tensor | None) -> Tensor | None:
        return None if frames is None else frames.mean(dim=(-2, -1), keepdim=True).expand_as(frames).contiguous()

    history, past = level(window.history), level(window.past)
    assert history is not None  # noqa: S101 - there always is one
    return replace(
        window,
        history=history,
        history_valid=torch.ones_like(window.history_valid),
        past=past,
        past_valid=None if window.past_valid is None else torch.ones_like(window.past_valid),
    )
