"""Waits for somebody to type."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "EOFError: EOF when reading a line"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        input("learning rate? ")
        return super().forward(window)
