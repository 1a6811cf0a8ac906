"""An error of 50 MB."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "ValueError: (aaaaaaaa )+a*… .50,000,004 characters.$"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        raise ValueError("aaaaaaaa " * 5_555_556)
