"""Runs in processes of this machine, each a fresh one, so many side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from bench.runs.ends import End
from bench.runs.executors import Follower, Places
from bench.runs.executors.places import slots
from bench.runs.isolation import Workers
from bench.runs.worker import Work, record_text


class Processes:
    """The executor of one machine.

    Args:
        devices: Of each run that may go beside the others.
        threads: Of each run; None is as many as torch has here.
    """

    here: str | None
    stores = False

    def __init__(self, devices: Sequence[str], threads: int | None) -> None:
        self.jobs, self.here = len(devices), devices[0]
        self._devices, self._threads = tuple(devices), threads

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        free = deque(self._devices)

        def ended(work: Work, device: str, end: End) -> None:
            free.append(device)
            if end.how == "died":
                follower.died(work, end.value)
            else:
                follower.answered(work, end.value)

        with Workers() as workers:
            while True:
                while free and (work := next(works, None)) is not None:
                    device = free.popleft()
                    follower.begun(work)
                    workers.start(
                        record_text,
                        work.placed(device),
                        on_end=partial(ended, work, device),
                        on_row=partial(follower.row, work),
                        threads=self._threads,
                        limit=work.time_limit,
                        name=work.run.title,
                    )
                if not workers:
                    return
                workers.listen()

    @contextmanager
    def beside(self, function: Callable[..., None], *arguments: object) -> Iterator[Callable[[], bool]]:
        with Workers() as workers:

            def at_work() -> bool:
                workers.listen(0)
                return len(workers) > 0

            for device in self._devices[1:]:
                workers.start(function, *arguments, device, on_end=_heed, threads=self._threads)
            yield at_work
            while workers:
                workers.listen()


def _heed(end: End) -> None:
    """One that raises is an error; one that died leaves its work to the others."""
    if end.how == "raised":
        end.result()


def make(places: Places) -> Processes:
    """Side by side as far as the places of this machine go."""
    return Processes(slots(places), places.threads)
