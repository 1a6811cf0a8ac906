"""Asks for more memory than there is."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "RuntimeError: .*(allocate|memory|Storage size)"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        torch.zeros(2**48)
        return super().forward(window)
