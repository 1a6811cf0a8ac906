"""A command that is watched from outside: when its lines appear, and what it and its processes take meanwhile."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import WorkerError

EVERY = 0.1  # seconds between two looks at the processes
PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A command that has ended well. Times are seconds since the epoch, as those of files are.

    Attributes:
        started, ended: Of the command.
        lines: What it printed, each line with its time.
        looks: Times, and by each of them the seconds of all cores that the command had taken; empty where the system
            has no ``/proc``.
    """

    started: float
    ended: float
    lines: Sequence[tuple[float, str]]
    looks: Sequence[tuple[float, float]]

    def busy(self, start: float, stop: float) -> float | None:
        """Seconds of all cores between two times, as exact as the looks are frequent."""
        return self._taken(stop) - self._taken(start) if self.looks else None

    def _taken(self, moment: float) -> float:
        place = bisect_right(self.looks, (moment, float("inf")))
        return self.looks[place - 1][1] if place else 0.0


def watched(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Watched:
    """Run a command to its end.

    Raises:
        WorkerError: If it fails.
    """
    started, looks, over = time.time(), list[tuple[float, float]](), threading.Event()
    told = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=told
    ) as process:
        watch = threading.Thread(target=_look, args=(process.pid, looks, over))
        watch.start()
        lines = [(time.time(), line.rstrip()) for line in process.stdout or ()]
        ended = time.time()
        over.set()
        watch.join()
    if process.returncode:
        last = lines[-1][1] if lines else "no word"
        raise WorkerError(f"'{' '.join(command[:4])}' ended with exit code {process.returncode}: {last}")
    return Watched(started=started, ended=ended, lines=lines, looks=looks)


def _look(pid: int, looks: list[tuple[float, float]], over: threading.Event) -> None:
    """Note again and again what a process and those that it started have taken."""
    most = 0.0
    while PROC.is_dir() and not over.wait(EVERY):
        most = max(most, _seconds(pid))
        looks.append((time.time(), most))


def _seconds(pid: int) -> float:
    """Of all cores: of the process, of its children that it waited for, and of all below it that live."""
    parents, taken = {}, {}
    for folder in PROC.glob("[0-9]*"):
        try:
            _, _, rest = (folder / "stat").read_text().rpartition(")")
        except OSError:  # it has ended meanwhile
            continue
        values = rest.split()
        parents[int(folder.name)] = int(values[1])
        taken[int(folder.name)] = sum(map(int, values[11:15])) / os.sysconf("SC_CLK_TCK")
    return sum(seconds for one, seconds in taken.items() if _is_below(one, pid, parents))


def _is_below(one: int, pid: int, parents: Mapping[int, int]) -> bool:
    while one not in (pid, 0):
        one = parents.get(one, 0)
    return one == pid
