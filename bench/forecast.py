"""Forecasts as the harness asks a model for them: checked, in a run's precision, seeded where random on purpose."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from bench.context import RunContext, resolve_precision
from bench.errors import ForecastError
from bench.settings import Precision
from bench.types import ModelPlugin, Window
from bench.windows import WindowSet

DRAWS: Final = 5
DRY_WINDOWS: Final = (3, 1)  # batches that a model is tried on before it is trained
FLOATS: Final = (torch.float32, torch.bfloat16, torch.float16)

Model = Callable[[Window], Tensor]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a model that says ``STOCHASTIC = True`` is scored: each window by itself, as the mean of seeded draws.

    Attributes:
        seed: Of the run; with a window's origin and the number of the draw it seeds every generator.
    """

    seed: int
    draws: int = DRAWS

    def seed_of(self, origin: int, draw: int) -> int:
        return int(np.random.SeedSequence([self.seed, origin, draw]).generate_state(1)[0])


def sampling_of(plugin: ModelPlugin, seed: int) -> Sampling | None:
    """How a plug-in's model is asked for forecasts in a run of this seed, in validation as on test."""
    return Sampling(seed=seed) if getattr(plugin, "STOCHASTIC", False) else None


def forecasts(
    model: Model, windows: WindowSet, chosen: Tensor, precision: Precision, sampling: Sampling | None = None
) -> Tensor:
    """Scaled forecasts ``[B, F, C, H, W]`` float32 of the windows at positions ``chosen [B]``.

    Raises:
        ForecastError: If the model returns anything else than a forecast of each window.
    """
    if sampling is None:
        return checked_forecast(model, windows.window(chosen), precision)
    lone = (
        lone_forecast(model, windows.window(one), int(windows.origins[one]), precision, sampling)
        for one in torch.split(chosen, 1)
    )
    return torch.cat(list(lone))


def lone_forecast(
    model: Model, window: Window, origin: int, precision: Precision, sampling: Sampling | None = None
) -> Tensor:
    """The scaled forecast of one window by itself, ``[1, F, C, H, W]`` float32; with ``sampling`` a mean of draws.

    Raises:
        ForecastError: If the model returns anything else.
    """
    if sampling is None:
        return checked_forecast(model, window, precision)
    device, drawn = window.history.device, []
    with RunContext(seed=sampling.seed, device=device).own_random_numbers():
        for draw in range(sampling.draws):
            RunContext(seed=sampling.seed_of(origin, draw), device=device).seed_generators()
            drawn.append(checked_forecast(model, window, precision))
    return torch.stack(drawn).mean(dim=0)


def checked_forecast(model: Model, window: Window, precision: Precision) -> Tensor:
    """What a model returns for a batch of windows, float32.

    Raises:
        ForecastError: If it is no tensor of the targets' shape, of floats, on the windows' device; torch would spread
            many others over the targets without a word.
    """
    history = window.history
    batch, _, *frame = history.shape
    wanted = (batch, window.horizon_clock.shape[1], *frame)
    device = history.device
    with _autocast(device, precision):
        forecast = model(window)
    if not isinstance(forecast, Tensor):
        raise ForecastError(f"the model returns a {type(forecast).__name__}, wanted one tensor {_shape(wanted)}")
    if tuple(forecast.shape) != wanted:
        raise ForecastError(f"the model forecasts {tuple(forecast.shape)}, wanted {_shape(wanted)}")
    if forecast.dtype not in FLOATS:
        raise ForecastError(f"the model forecasts {forecast.dtype}, wanted torch.float32; return forecast.float()")
    if forecast.device != device:
        raise ForecastError(f"the model forecasts on {forecast.device}, wanted {device}, where its window lies")
    return forecast.float()


def check_model(model: nn.Module, windows: WindowSet, precision: Precision, context: RunContext) -> None:
    """Ask a copy of a model for a few forecasts; the model, and random numbers, go on as if nothing had been.

    Raises:
        ForecastError: If they are of the wrong kind, shape or type, or not finite, or the window is changed.
    """
    trial = copied(model).eval()
    with context.own_random_numbers(), torch.inference_mode():
        for count in DRY_WINDOWS:
            window = windows.window(torch.arange(min(count, len(windows)), device=windows.origins.device))
            before = _copies(window)
            forecast = checked_forecast(trial, window, precision)
            if not forecast.isfinite().all():
                raise ForecastError(
                    "the model forecasts values that are not finite in evaluation mode; look for a division by zero, "
                    "a logarithm or a root"
                )
            for name, values in _copies(window).items():
                if not torch.equal(values, before[name]):
                    raise ForecastError(f"the model changes {name} of its window in place; change a copy of it")


def copied(model: nn.Module) -> nn.Module:
    """A copy that shares nothing with the model but its frozen weights.

    Raises:
        ForecastError: If it cannot be copied.
    """
    frozen: dict[int, Any] = {id(weight): weight for weight in model.parameters() if not weight.requires_grad}
    try:
        return copy.deepcopy(model, frozen)
    except Exception as error:  # whatever an attribute of the model raises
        raise ForecastError(
            f"the model cannot be copied by copy.deepcopy, which its audit needs ({type(error).__name__}: {error}); "
            "keep no file, lock, generator or result of a calculation as its attribute"
        ) from error


def _copies(window: Window) -> dict[str, Tensor]:
    tensors = {field.name: getattr(window, field.name) for field in fields(window)}
    return {name: values.clone() for name, values in tensors.items() if values is not None}


def _shape(wanted: tuple[int, ...]) -> str:
    return f"[B, F, C, H, W] = {wanted}"


def _autocast(device: torch.device, precision: Precision) -> contextlib.AbstractContextManager[Any]:
    if resolve_precision(precision, device) == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
