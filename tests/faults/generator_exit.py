"""Raises what ends a generator."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "GeneratorExit: GeneratorExit"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        raise GeneratorExit
