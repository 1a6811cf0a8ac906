"""As the system does when memory runs out."""

from __future__ import annotations

import os
import signal

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "WorkerError: .* ended by the signal SIGKILL, as the system does when memory runs out"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(window)
