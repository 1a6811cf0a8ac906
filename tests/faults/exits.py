"""sys.exit(0) in forward."""

from __future__ import annotations

import sys

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "SystemExit: the model, or a library that it uses, called sys.exit.0.; raise an error in its place"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        sys.exit(0)
