"""Closes what it may print to, and what it may read."""

from __future__ import annotations

import os
import sys

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        sys.stdout.close()
        for handle in (0, 1, 2):
            try:
                os.close(handle)
            except OSError:
                continue
        return super().forward(window)
