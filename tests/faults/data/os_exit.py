"""Ends its process without a word."""

from __future__ import annotations

import os
from pathlib import Path

from _card import card

from bench.types import RawSeries

EXPECTED = "the reader of .os_exit. ended its process with exit code 0 and no word.*; mend .*os_exit.py"
CARD = card("os_exit")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    os._exit(0)
