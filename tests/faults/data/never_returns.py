"""Waits for ever, hears no signal, and has a child that does so, too."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from _card import card, series

from bench.types import RawSeries

EXPECTED = "the reader of .never_returns. took longer than the time limit of 20 s and was ended; .* or time_limit="
CARD = card("never_returns")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100_000)"])
    time.sleep(100_000)
    return series()
