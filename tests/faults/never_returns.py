"""Waits for ever, and hears no signal."""

from __future__ import annotations

import signal
import time

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "TimeLimitError: it took longer than the time limit of .* s and was ended; .* --time-limit, or time_limit="


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(100_000)
        return super().forward(window)
