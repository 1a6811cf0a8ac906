"""A process that goes on for ever, in a session of its own, and whose parent is gone."""

from __future__ import annotations

import os
import time

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(98765)
            os._exit(0)
        return super().forward(window)
