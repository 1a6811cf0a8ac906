"""Runs as jobs of a Slurm cluster, which share the results folder, store their records and outlive the driver."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from bench.errors import ConfigError, require
from bench.files import network_file_system
from bench.records.store import ResultStore
from bench.runs.executors import Follower, Places
from bench.runs.executors.elsewhere import results_of
from bench.runs.executors.places import wants_gpu
from bench.runs.executors.slurm_job import Call, Job, leave
from bench.runs.executors.slurm_queue import GONE, Queue, RefusedError, Seen, Wishes
from bench.runs.worker import Work

PAUSES_S: Final = (1.0, 15.0)  # between looks at the queue, at first and later
LATE_S: Final = (1.0, 15.0)  # what a job wrote may be seen so much later, on a disk and on a network file system
BATCH: Final = 1000  # jobs in an array, which sites limit; Slurm's own limit is 1001


@dataclass
class _Watched:
    """A run that is queued or under way.

    Attributes:
        before: How the failed record of an earlier attempt looks.
        over_since: When its job was found to be over, in seconds; None if it is not.
    """

    work: Work
    before: tuple[int, int] | None
    seen: Seen
    begun: bool = False
    over_since: float | None = None


@dataclass
class OnSlurm:
    """The executor of a Slurm cluster: one run is one task of an array of jobs.

    Attributes:
        jobs: How many go side by side, at most.
        say: Told in a sentence what is queued.
        detach: Whether to leave the runs when they are queued.
    """

    jobs: int
    device: str
    wishes: Wishes
    say: Callable[[str], None]
    detach: bool = False
    here: str | None = field(default=None, init=False)
    stores: bool = field(default=True, init=False)

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        waiting = list(works)
        if not waiting:
            return
        watch = _Watch(self, waiting, follower)
        try:
            with _jobs_left_to_themselves():
                watch.follow()
        except KeyboardInterrupt:
            watch.cancel()
            raise

    @contextmanager
    def beside(self, function: Callable[..., None], *arguments: object) -> Iterator[None]:
        queue, batch = Queue(results_of(arguments), self.wishes), 1 if self.wishes.local else self.jobs
        names = [f"{function.__name__} {uuid4().hex}" for _ in range(self.jobs)]
        with queue.alone():
            for start in range(0, self.jobs, batch):
                some = names[start : start + batch]
                queue.submit([Call(function, (*arguments, self.device))] * len(some), some)
        try:
            yield
            while self._working(queue, names):
                time.sleep(PAUSES_S[0])
        finally:
            queue.cancel(self._working(queue, names))
            queue.tidy()

    def _working(self, queue: Queue, names: Sequence[str]) -> list[Seen]:
        return [seen for name, seen in (queue.look() or {}).items() if name in names and not seen.over]


@contextmanager
def _jobs_left_to_themselves() -> Iterator[None]:
    """While a terminal that is closed, or a SIGTERM, ends the command alone; Ctrl-C is heard as ever."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sign: signal.signal(sign, leave) for sign in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for sign, heeded in before.items():
            signal.signal(sign, heeded)


class _Watch:
    """One call of ``OnSlurm.run``."""

    def __init__(self, executor: OnSlurm, works: Sequence[Work], follower: Follower) -> None:
        self._executor, self._follower = executor, follower
        self._waiting, self._watched = list(works), dict[str, _Watched]()
        self._queue, self._store = Queue(works[0].results, executor.wishes), ResultStore(works[0].results)
        self._died, self._late = False, LATE_S[network_file_system(works[0].results) is not None]
        self._most = executor.jobs if executor.wishes.local else BATCH  # in an array

    def follow(self) -> None:
        started, under_way = time.monotonic(), -1
        self._queue.tidy()
        while self._waiting or self._watched:
            if self._waiting and len(self._watched) != under_way:
                self._submit()
                under_way = len(self._watched)
            if self._executor.detach:
                return
            time.sleep(min(PAUSES_S[1], PAUSES_S[0] + (time.monotonic() - started) / 60))
            self._look()
        if not self._died:
            self._queue.tidy()

    def cancel(self) -> None:
        ours = {*self._watched, *(work.run.run_id for work in self._waiting)}
        self._queue.cancel(seen for run_id, seen in (self._queue.look() or {}).items() if run_id in ours)

    def _submit(self) -> None:
        """Queue what is not queued yet, as far as Slurm lets us."""
        with self._queue.alone():
            already = self._watch(self._queue.look() or {})
            if already:
                self._executor.say(f"queued by an earlier command: {already}")
            while self._waiting and (batch := self._waiting[: self._room()]):
                calls = [Job(work.placed(self._executor.device), self._executor.wishes.cpus) for work in batch]
                try:
                    self._queue.submit(calls, [work.run.run_id for work in batch])
                except RefusedError as error:
                    if len(batch) == 1 and not self._watched:
                        raise ConfigError(f"Slurm does not take the jobs: {error}") from error
                    if len(batch) == 1:
                        return  # a limit on jobs: those that end make room
                    self._most = len(batch) // 2
                else:
                    queued = self._watch(self._queue.look() or {})
                    self._executor.say(f"queued: {queued}, waiting for room: {len(self._waiting)}")

    def _room(self) -> int:
        """How many may be queued at once; without Slurm nobody else counts them."""
        if self._executor.wishes.local:
            return min(1, self._executor.jobs - len(self._watched))
        return self._most

    def _watch(self, found: Mapping[str, Seen]) -> int:
        """Watch those that wait no longer, and say how many."""
        new = [work for work in self._waiting if (seen := found.get(work.run.run_id)) and not seen.over]
        for work in new:
            self._watched[work.run.run_id] = _Watched(work, self._failure(work), found[work.run.run_id])
        self._waiting = [work for work in self._waiting if work.run.run_id not in self._watched]
        return len(new)

    def _look(self) -> None:
        found = self._queue.look()
        if found is None:  # Slurm does not answer; it is asked again
            return
        for run_id, watched in list(self._watched.items()):
            watched.seen = found.get(run_id, Seen(job=watched.seen.job, state=GONE, batch=watched.seen.batch))
            if not watched.begun and watched.seen.state != "PENDING":
                watched.begun = True
                self._follower.begun(watched.work)
            if watched.seen.over and self._ended(watched):
                del self._watched[run_id]

    def _ended(self, watched: _Watched) -> bool:
        """Tell the follower of a job that is over; False if its record may still come."""
        run = watched.work.run
        if self._store.has(run.dataset, run.model, run.run_id) or self._failure(watched.work) != watched.before:
            self._follower.answered(watched.work, None)
            return True
        watched.over_since = watched.over_since or time.monotonic()
        if time.monotonic() - watched.over_since < self._late:
            return False
        seen = watched.seen
        self._died = True
        self._follower.died(watched.work, f"the job {seen.job} ended as {seen.state}; slurm/{seen.batch} has its log")
        return True

    def _failure(self, work: Work) -> tuple[int, int] | None:
        return self._store.failure(work.run.dataset, work.run.model, work.run.run_id)


def make(
    places: Places,
    *,
    partition: str | None = None,
    minutes: int = 60,
    gpus: int | None = None,
    options: Mapping[str, str] | None = None,
    local: bool = False,
    detach: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> OnSlurm:
    """Side by side on a Slurm cluster, as ``bench.runs.executors.slurm_queue.Wishes`` says.

    Raises:
        ConfigError: If there is no Slurm here, or what is wished is at odds.
        MissingPackageError: If submitit is not installed.
    """
    require("submitit", "slurm", "--executor slurm")
    if not local and shutil.which("sbatch") is None:
        raise ConfigError("there is no Slurm here (no sbatch); run this where jobs are submitted, or try --slurm-local")
    on_gpus = wants_gpu(places.device)
    if gpus and not on_gpus:
        raise ConfigError(f"--slurm-gpus {gpus} asks for GPUs and --device {places.device} for none; say --device cuda")
    if places.runs_per_gpu is not None:
        raise ConfigError(
            "--runs-per-gpu is not Slurm's way; give --slurm-option gres=shard:1 or the like of your site"
        )
    wishes = Wishes(
        partition=partition,
        minutes=minutes,
        gpus=(gpus or 1) if on_gpus else 0,
        cpus=places.threads,
        at_once=places.jobs or BATCH,
        options=options or {},
        local=local,
    )
    return OnSlurm(wishes.at_once, "cuda:0" if on_gpus else "cpu", wishes, say, detach)
