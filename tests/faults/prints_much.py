"""Prints 300 MB."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        if not self.training and window.history.shape[0] == 3:  # once
            for _ in range(300):
                print("x" * 1_000_000)
        return super().forward(window)
