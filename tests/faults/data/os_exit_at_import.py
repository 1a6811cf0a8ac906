"""Ends the process that imports it."""

from __future__ import annotations

import os
from pathlib import Path

from _card import card, series

from bench.types import RawSeries

EXPECTED = "the import of the data set .os_exit_at_import. ended its process with exit code 0 and no word"
CARD = card("os_exit_at_import")
VERSION = 1
os._exit(0)


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    return series()
