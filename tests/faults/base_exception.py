"""Raises what only those who end a process should."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "Escape: off and away"


class Escape(BaseException): ...


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        raise Escape("off and away")
