"""Fracast-0: a small foundation model of time series continues each series, untrained.

The package ``fracast`` 0.1.0 (https://github.com/ztxtech/fracast-0, Apache-2.0) has the architecture and, inside its
wheel, the weights: 85,001 of them, so that this model is pre-trained on a machine that never saw a hub. One causal
block of a depthwise convolution and a gated layer is applied at dilations 1, 2, 4 .. 512, told which by its scale;
phases of the periods that a periodogram finds are added to its input; a head turns the last and the mean state into
quantiles of the next 48 steps. The forecast here is the median, as the one that the mean absolute error asks for.

    z = (x - min) / max(max - min, 1e-5), 0 where nothing was observed     in front of it zeros, up to ``length``
    forecast = median(z) * (max - min) + min                              after 48 steps it continues its own medians

Each channel of each cell is a series of its own, as in VisionTS: the steps to forecast as they were on the seven days
before, one day after the other, and then the history. ``context=days`` and ``context=history`` are either alone. The
authors always compute 2048 positions, however few are observed, which is ``length=2048``, as in the paper profile; less
costs less and is another forecast, since positions in front of the series count in the mean state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, cast

import torch
from torch import Tensor, nn

from bench.config import tunable
from bench.errors import require
from bench.types import TaskShape, Window
from bench.weights import fitting, locate, read

from ._series import cell_by_cell, check_context
from ._zoo import FRACASTS

DAYS_BACK: Final = (7, 6, 5, 4, 3, 2, 1)
POSITIONS: Final = {"cpu": 2**14, "cuda": 2**17}  # computed at a time; a processor works in its cache
LEAST: Final = 1e-5  # range of a series


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of Fracast-0.

    Attributes:
        checkpoint: Which weights; there is one.
        weights: Those of its package, or random as a control.
        context: The seven days before, these and the history, or the history alone.
        length: Positions that are computed; the authors' are 2048.
    """

    checkpoint: Literal["fracast_0"] = "fracast_0"
    weights: Literal["pretrained", "random"] = "random"
    context: Literal["days", "both", "history"] = tunable("both", choices=("days", "both", "history"))
    length: int = 16

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: If the length is below 16.
        """
        if self.length < 16:
            raise ValueError(f"length={self.length} must be at least 16")


class Model(nn.Module):
    """The core, the head, and the scale of each series."""

    def __init__(self, shape: TaskShape, config: Config) -> None:
        super().__init__()
        check_context("Fracast", config.context, shape)
        self.config, self.horizon = config, shape.horizon
        self.core, self.head = _build(config)
        self.middle = _middle(self.head)
        self.requires_grad_(False)

    def forward(self, window: Window) -> Tensor:
        positions = POSITIONS.get(window.history.device.type, POSITIONS["cuda"])
        return cell_by_cell(window, self.config.context, positions // self.config.length, self._forecast)

    def _forecast(self, series: Tensor) -> Tensor:
        """The next steps ``[n, F]`` of series ``[n, T]`` that are NaN where nothing was observed."""
        ahead = series[:, :0]
        while ahead.shape[1] < self.horizon:
            ahead = torch.cat((ahead, self._next(torch.cat((series, ahead), dim=1)[:, -self.config.length :])), dim=1)
        return ahead[:, : self.horizon]

    def _next(self, series: Tensor) -> Tensor:
        """The medians of the next block of steps."""
        seen = series.isfinite()
        low = torch.where(seen, series, torch.inf).amin(dim=1, keepdim=True).nan_to_num(posinf=0)
        high = torch.where(seen, series, -torch.inf).amax(dim=1, keepdim=True).nan_to_num(neginf=0)
        span = (high - low).clamp_min(LEAST)
        front = (self.config.length - series.shape[1], 0)
        scaled = nn.functional.pad(torch.where(seen, (series - low) / span, 0), front)
        known = nn.functional.pad(seen, front)
        states = self.core(scaled[:, None], known[:, None], known[:, None].to(scaled.dtype))
        quantiles: Tensor = self.head.forward_horizon(  # type: ignore[operator]
            states, last_obs=scaled[:, -1:], ctx=scaled, ctx_mask=known
        )
        return quantiles[..., self.middle] * span + low


def check(name: str, path: Path) -> int:
    """Hold the names and shapes in a weights' file against the architecture, and count its tensors.

    Raises:
        WeightsError: If the file cannot be read, or a tensor is absent or of another shape.
    """
    config = Config(checkpoint=cast(Any, name), weights="random")
    return len(fitting(path, read(path, headers=True), nn.ModuleDict(_parts(config)).state_dict()))


def _middle(head: nn.Module) -> int:
    """Where the median is among the head's quantiles."""
    quantiles: list[float] = head.get_buffer("q").tolist()
    return quantiles.index(0.5)


def _build(config: Config) -> tuple[nn.Module, nn.Module]:
    """Core and head.

    Raises:
        WeightsError: If the weights are absent, or are not those of this architecture.
    """
    parts = _parts(config)
    if config.weights == "pretrained":
        (source,) = FRACASTS[config.checkpoint].sources
        path, whole = locate(source), nn.ModuleDict(parts)
        whole.load_state_dict(fitting(path, read(path), whole.state_dict()), strict=True)
    return parts["core"], parts["head"]


def _parts(config: Config) -> dict[str, nn.Module]:
    """Core and head with random weights."""
    require("fracast", "tsfm", "the model 'fracast'")
    from fracast._core.model import build_from_cfg

    facts: dict[str, Any] = json.loads((files("fracast") / "weights" / "config.json").read_text(encoding="utf-8"))
    facts["model"] |= {"W": config.length, "level_widths": [config.length]}
    core, head = build_from_cfg(facts)
    return {"core": core, "head": head}
