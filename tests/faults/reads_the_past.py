"""Reads the days before, for which its file does not ask."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "AttributeError: 'NoneType' .*'flatten'; window.past is None where the model's file does not say DAYS_BACK"


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        return super().forward(window) + window.past.flatten(1).mean()  # type: ignore[union-attr]
