"""How worker processes end, or are ended, with all that they have started."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.errors import WorkerError
from bench.records.record import Failure
from bench.runs.fork_server import ONE_AT_A_TIME

PR_SET_CHILD_SUBREAPER = 36  # of prctl
END_S = 5.0  # for a worker that has answered, or was told to end


class RaisedError(WorkerError):
    """What a worker's call raised; ``failure`` says it as a record does."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


@dataclass(frozen=True)
class End:
    """How a worker ended: with an answer, with what it raised, or "died" with the reason as a sentence."""

    how: Literal["answer", "raised", "died"]
    value: Any

    def result(self) -> Any:
        """The answer.

        Raises:
            RaisedError: If the function raised whatever it may be.
            WorkerError: If the process ended without an answer.
        """
        if self.how == "raised":
            raise RaisedError(self.value)
        if self.how == "died":
            raise WorkerError(self.value)
        return self.value


def begin_group() -> None:
    """Make this process the first of a group of its own, without a terminal, so that its children end with it.

    Where it can, it also becomes the parent of what its children leave behind.
    """
    if hasattr(os, "setsid"):
        with contextlib.suppress(PermissionError):  # it is one already
            os.setsid()
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_children(of: int) -> None:
    """End all processes that a process which still runs has started, also those that left its group.

    A child is stopped before its own are looked for, so that it starts no other meanwhile. What it had just started
    when it was looked at comes to the process that it is a grandchild of, and is found by a second look.
    """
    for _ in range(2):
        for child in _children(of):
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGSTOP)
            end_children(child)
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)


def _children(of: int) -> list[int]:
    """The children of a process, where the system tells."""
    found: list[int] = []
    for file in Path(f"/proc/{of}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended meanwhile
            found += map(int, file.read_text().split())
    return found


def end_group(first: int | None) -> None:
    """End what is left of the group that a process began; of this very process, it, too."""
    if first and hasattr(os, "killpg"):
        with contextlib.suppress(OSError):
            os.killpg(first, signal.SIGKILL)


def end_with_parent() -> None:
    """End when the process that started this one does.

    A model that closes all files closes what tells of that, too, and the next file has its number.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    before = _file_at(parent.sentinel)
    parent.join()
    if _file_at(parent.sentinel) == before:
        end_children(os.getpid())
        end_group(os.getpid())
        os._exit(1)


def _file_at(handle: int) -> tuple[int, int] | None:
    """Which file a descriptor is of; None for a closed one, and for a handle of Windows."""
    try:
        about = os.fstat(handle)
    except OSError:
        return None
    return about.st_dev, about.st_ino


def gone(process: Any) -> bool:
    """Whether a process is gone whose sentinel says so; that of a fork server which was killed says it of all."""
    if os.name == "nt":
        return True
    try:
        os.kill(process.pid, 0)
    except OSError:
        return True
    return False


def reason_of(process: Any) -> str:
    """Why a process is gone."""
    with ONE_AT_A_TIME:
        process.join(END_S)
        return _sentence(process.exitcode)


def finish(processes: Sequence[Any], *, answered: bool) -> None:
    """Wait for processes that have answered; end those that have not, or do not end by themselves."""
    with ONE_AT_A_TIME:
        for killed in (False, True) if answered else (True,):
            running = [process for process in processes if process.exitcode is None]
            for process in running if killed else ():
                end_children(process.pid)
                process.kill()  # whatever it makes of other signals
            latest = time.monotonic() + END_S
            for process in running:
                process.join(max(0.0, latest - time.monotonic()))
        for process in processes:
            end_group(process.pid)
            with contextlib.suppress(ValueError):  # the system has not let go of it yet
                process.close()


def _sentence(code: int | None) -> str:
    """How a process ended, in a sentence; without a code it has not."""
    if code is None:
        return (
            "the process of this run closed its pipe to the command and went on without it, and was ended; its model, "
            "or a library it uses, closes files that are not its own"
        )
    if code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
            return f"the process of this run was ended by the signal {name}{why}; the other runs go on without it"
    return (
        f"the process of this run ended with exit code {code} and no word; its model, or a library it uses, ends its "
        "process, as os._exit does"
    )
