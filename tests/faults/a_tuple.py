"""Returns a forecast and its attention."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "ForecastError: the model returns a tuple, wanted one tensor"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        return super().forward(window), None
