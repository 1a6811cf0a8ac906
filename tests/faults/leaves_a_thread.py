"""A thread that no exit waits out."""

from __future__ import annotations

import threading
import time

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        threading.Thread(target=time.sleep, args=(100_000,)).start()
        return super().forward(window)
