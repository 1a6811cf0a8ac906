"""A process is started although the server of processes was just killed, and no interrupt is lost meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from bench.errors import WorkerError
from bench.runs import fork_server
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


def test_an_interrupt_while_the_server_starts_is_heard_behind_it_and_never_by_the_server() -> None:
    started: list[subprocess.Popen[bytes]] = []

    def interrupted() -> None:
        with fork_server._deaf():
            os.kill(os.getpid(), signal.SIGINT)
            started.append(subprocess.Popen(["sleep", "60"]))

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (child,) = started  # so the interrupt waited
    try:
        child.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(0.5)
    finally:
        child.kill()
        child.wait()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_the_server_itself_never_hears_an_interrupt() -> None:
    code = (
        "import signal\n"
        "from multiprocessing import forkserver\n"
        "from bench.runs.fork_server import warm_up\n"
        "warm_up()\n"
        "server = forkserver._forkserver._forkserver_pid\n"
        "status = open(f'/proc/{server}/status').read()\n"
        "masks = [int(line.split()[1], 16) for line in status.splitlines() if line[:6] in ('SigBlk', 'SigIgn')]\n"
        "print(any(mask >> signal.SIGINT - 1 & 1 for mask in masks))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "True\n"
