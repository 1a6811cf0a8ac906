"""Goes elsewhere, as a script does that clones a repository."""

from __future__ import annotations

import os

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = None


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        os.chdir("/")
        return super().forward(window)
