"""A process that goes on for ever and holds the terminal."""

from __future__ import annotations

import subprocess

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        subprocess.Popen(["sleep", "98765"])
        return super().forward(window)
