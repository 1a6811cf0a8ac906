"""A copy of itself goes on for ever, with all of its files open; it ends."""

from __future__ import annotations

import os
import time

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "WorkerError: .* ended with exit code 3 and no word"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        if os.fork() == 0:
            time.sleep(100_000)
        os._exit(3)
