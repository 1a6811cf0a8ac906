"""Returns lists in place of arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from _card import card, series

from bench.types import RawSeries

EXPECTED = "what the reader of .wrong_series. returned cannot be used: AttributeError: .list. object has no"
CARD = card("wrong_series")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    return replace(series(), values=[1.0])
