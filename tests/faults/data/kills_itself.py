"""Is killed while it reads, as for want of memory."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from _card import card, series

from bench.types import RawSeries

EXPECTED = "the reader of .kills_itself. ended its process with signal 9 and no word"
CARD = card("kills_itself")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    os.kill(os.getpid(), signal.SIGKILL)
    return series()
