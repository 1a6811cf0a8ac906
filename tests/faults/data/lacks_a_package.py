"""Imports what is not installed."""

from __future__ import annotations

import importlib
from pathlib import Path

from _card import card, series

from bench.types import RawSeries

EXPECTED = "dataset .lacks_a_package. cannot be imported from .*: ModuleNotFoundError: No module named .no_such_package"
CARD = card("lacks_a_package")
VERSION = 1

importlib.import_module("no_such_package")


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    return series()
