"""An error whose text cannot be had."""

from __future__ import annotations

from torch import Tensor

from bench.types import Window

from .healthy import Config as Config
from .healthy import Model as Healthy

EXPECTED = "Mute: its text cannot be had .RuntimeError."


class Mute(Exception):  # noqa: N818
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Model(Healthy):
    def forward(self, window: Window) -> Tensor:
        raise Mute
