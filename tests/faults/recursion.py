"""Calls itself."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "RecursionError: maximum recursion depth exceeded"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        return self.forward(window)
