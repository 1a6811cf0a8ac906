"""Signals to a command that waits for jobs of Slurm: the command ends, and its jobs go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class LeftError(KeyboardInterrupt):
    """The command ends as by Ctrl-C, but leaves its jobs."""


@contextmanager
def jobs_left_to_themselves() -> Iterator[None]:
    """While a terminal that is closed, or a SIGTERM, ends the command alone; Ctrl-C is heard as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sign: signal.signal(sign, _leave) for sign in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for sign, heeded in before.items():
            signal.signal(sign, heeded)


def _leave(*_: object) -> None:
    raise LeftError
