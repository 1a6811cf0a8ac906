"""Closes the pipe to the command, too."""

from __future__ import annotations

import os

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "WorkerError: .* ended with exit code 0 and no word"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        os.closerange(3, 4096)
        return super().forward(window)
