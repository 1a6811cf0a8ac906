"""Imports that an interrupt waits for."""

from __future__ import annotations

import importlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def import_whole(*modules: str) -> None:
    """Import modules, and heed an interrupt only then.

    One that falls into an import leaves half of a library behind, with which no later import in the process works.
    """
    with interrupts_wait():
        for module in modules:
            importlib.import_module(module)


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Let Ctrl-C, and a notebook's stop, wait for the end; in another thread than the main one none arrives."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))  # noqa: ARG005
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
