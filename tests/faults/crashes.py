"""Reads memory that is not its own."""

from __future__ import annotations

import ctypes

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "WorkerError: .* ended by the signal SIGSEGV"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        ctypes.string_at(0)
        return super().forward(window)
