"""A process is started although the server of processes was just killed."""

from __future__ import annotations

import time

import pytest

from bench.errors import WorkerError
from bench.runs.fork_server import start


class Refused:
    """A process that can be started only so many seconds after the first try."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.begun, self.started = seconds, 0.0, False

    def start(self) -> None:
        self.begun = self.begun or time.monotonic()
        if time.monotonic() - self.begun < self.seconds:
            raise ConnectionRefusedError(111, "Connection refused")
        self.started = True


def test_a_server_that_is_going_is_waited_for() -> None:
    process = Refused(0.5)
    start(process)
    assert process.started


def test_where_none_can_be_started_a_sentence_says_so() -> None:
    with pytest.raises(
        WorkerError, match=r"no process can be started for a run \(ConnectionRefusedError: .*\); run the"
    ):
        start(Refused(1000))
