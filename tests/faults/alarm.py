"""Sets an alarm clock."""

from __future__ import annotations

import signal
import time

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "WorkerError: .* ended by the signal SIGALRM"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(100_000)
        return super().forward(window)
