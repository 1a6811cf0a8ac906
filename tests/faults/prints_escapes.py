"""Prints orders to a terminal."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        print("\x1b[2J\x1b]0;owned\x07\x9b31mit prints\r\x1b[5mit prints this\x07\u202e")
        return super().forward(window)
