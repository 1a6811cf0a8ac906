"""How long a file that is on its way is waited for."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

TOTAL_S: Final = 6 * 3600.0  # one file
SLOW: Final = (30.0, 30 * 1024)  # seconds in which at least so many bytes must come


class TooSlowError(Exception):
    """A file that is not here in time, as words that follow its address."""


class Pace:
    """Watches that a download ends in time, and that something comes; breaks do not begin it anew."""

    def __init__(self) -> None:
        self._begun = self._since = time.monotonic()
        self._came = 0

    def add(self, count: int) -> None:
        """So many bytes came.

        Raises:
            TooSlowError: If it lasts too long, or too few came lately.
        """
        now, self._came = time.monotonic(), self._came + count
        if now - self._begun > TOTAL_S:
            raise TooSlowError(f"was not here after {TOTAL_S / 3600:.3g} hours")
        seconds, fewest = SLOW
        if now - self._since > seconds:
            if self._came < fewest:
                raise TooSlowError(f"sends fewer than {fewest} bytes in {seconds:.0f} seconds")
            self._since, self._came = now, 0


def in_time(call: Callable[[], T], seconds: float, late: Exception) -> T:
    """What a call gives or raises, or ``late`` after so many seconds: no library's limit covers a silent name server.

    Such a call is left to itself, in a thread that does not keep the process.
    """
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def answer() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            answers.put((None, error))

    threading.Thread(target=answer, daemon=True).start()
    try:
        found, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise late from None
    if error is not None:
        raise error
    return found  # type: ignore[return-value]  # without an error it is what the call gave
