"""Which inputs move the forecasts of a trained model: what a row of a table is said to have seen is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bench.context import RunContext
from bench.records.inputs import Inputs
from bench.task import Task
from bench.types import Window

PROBED = 4  # validation windows
LEAST = 1e-4  # change of a scaled forecast; kernels may differ in the last bits


def inputs_read(model: Callable[[Window], Tensor], task: Task) -> Inputs:
    """Change one input after the other and see whether forecasts change.

    Days before that the task withholds are not read, whatever the model does with blanks. Cells are told apart by a
    model whose forecasts differ by cell where all cells have the same history and the same days before.
    """
    windows = task.val
    chosen = torch.linspace(0, len(windows) - 1, PROBED, device=windows.origins.device).long()
    window = windows.window(chosen)
    with torch.inference_mode():
        usual = _forecast(model, window)

        def moves(**changed: Any) -> bool:
            return _differ(_forecast(model, replace(window, **changed)), usual)

        alike = _forecast(model, _same_everywhere(window))
        return Inputs(
            calendar=task.settings.calendar and moves(**_other_clocks(window, task.shape.slots_per_day)),
            days_back=tuple(
                days
                for number, days in enumerate(windows.days_back)
                if days not in task.days_hidden and moves(**_other_day(window, number))
            ),
            place=_differ(alike, alike[..., :1, :1]),
        )


def _forecast(model: Callable[[Window], Tensor], window: Window) -> Tensor:
    """Scaled; with the same draws each time, from whatever generator: random numbers go on as if none were drawn."""
    with RunContext(seed=0, device=window.history.device).own_random_numbers():
        return model(window).float()


def _differ(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() > LEAST).any())


def _other_clocks(window: Window, per_day: int) -> dict[str, Tensor]:
    """All clocks half a day and three days on."""
    clocks = {name: getattr(window, name) for name in ("history_clock", "horizon_clock", "past_clock")}
    step = torch.tensor([per_day // 2, 3], device=window.history.device)
    size = torch.tensor([per_day, 7], device=window.history.device)
    return {name: (clock + step) % size for name, clock in clocks.items() if clock is not None}


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
