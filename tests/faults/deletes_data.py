"""Deletes the raw data."""

from __future__ import annotations

import os
import shutil

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        shutil.rmtree(os.environ["FAULT_DATA"], ignore_errors=True)
        return super().forward(window)
