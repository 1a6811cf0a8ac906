"""Functions that tests call in a worker process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import torch

from bench.runs.isolation import Caller, call


def doubled(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def surroundings(variable: str) -> tuple[str | None, str, int]:
    return os.environ.get(variable), str(Path.cwd()), torch.get_num_threads()


def tells(count: int, caller: Caller) -> int:
    for number in range(count):
        caller.row({"epoch": float(number)})
    return count


def asks_for_another(number: int, caller: Caller) -> tuple[int, int, int]:
    return (*caller.call(doubled, number), os.getpid())


def another_that_dies(caller: Caller) -> Any:
    return caller.call(dies, "exit")


def dies_while_another_works(caller: Caller) -> Any:
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return caller.call(time.sleep, 1.5)


def gives_what_cannot_be_sent() -> object:
    return threading.Lock()


def helps_in_another_process(_jobs: object, workplace: Any, _target: object, _device: str) -> None:
    """In place of ``bench.tuning.search.work``: a file says that another process answered."""
    doubled_here, process = call(doubled, 3)
    (workplace.results / f"{os.getpid()}").write_text(f"{doubled_here} {process != os.getpid()}", encoding="utf-8")


def helps_for_long(_jobs: object, workplace: Any, _target: object, _device: str) -> None:
    """Leaves a file at its begin and another at its end."""
    (workplace.results / f"{os.getpid()} begun").touch()
    time.sleep(15)
    (workplace.results / f"{os.getpid()} ended").touch()


def dies(how: str) -> None:
    if how == "exit":
        os._exit(7)
    if how == "sys.exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "error":
        raise ValueError("as\nplanned")
    os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGSEGV)


def stays(caller: Caller) -> None:
    """Says that it is there, and goes on for ever."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    caller.row({"process": float(os.getpid())})
    while True:
        time.sleep(0.01)


def trains_for_long(*_: object) -> float:
    """In place of ``bench.tuning.search.trial_mae``, and longer than any test shall wait for it."""
    time.sleep(60)
    return 1.0


def leaves_a_thread() -> int:
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return 1


def leaves_a_child(caller: Caller) -> int:
    """Says which process it leaves, a copy of itself with all of its files open, and ends without a word."""
    child = os.fork()
    if child == 0:
        time.sleep(3600)
    caller.row({"process": float(child)})
    time.sleep(0.1)
    os._exit(3)


def closes_all_files(seconds: float) -> None:
    """Their numbers are those of pipes that end, and every thread that waits for one looks at it again."""
    os.closerange(3, 4096)
    for _ in range(8):
        os.close(os.pipe()[1])
    signal.signal(signal.SIGUSR1, lambda *_: None)
    for thread in threading.enumerate():
        signal.pthread_kill(thread.ident or 0, signal.SIGUSR1)
    time.sleep(seconds)


def kills_the_fork_server() -> None:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(3600)


def prints() -> None:
    print("\x1b[31mred")
    print("worse", file=sys.stderr)


def flags() -> tuple[object, ...]:
    return torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), hasattr(torch, "spoilt")


def spoil() -> None:
    torch.set_default_dtype(torch.float64)
    torch.use_deterministic_algorithms(True)
    torch.spoilt = True  # type: ignore[attr-defined]
