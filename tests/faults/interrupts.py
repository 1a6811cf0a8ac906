"""Raises what Ctrl-C raises."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "KeyboardInterrupt: the model, .*, raised KeyboardInterrupt; raise another error in its place"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        raise KeyboardInterrupt
