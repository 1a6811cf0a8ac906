"""Runs as jobs of a Slurm cluster, which share the results folder, store their records and outlive the driver."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from uuid import uuid4

from bench.errors import ConfigError, StoreError, WorkerError, require
from bench.files import network_file_system
from bench.plain_text import counted
from bench.records.planned import PlannedRun
from bench.records.store import ResultStore
from bench.runs.executors import Follower, Places
from bench.runs.executors.elsewhere import results_of
from bench.runs.executors.places import cores, wants_gpu
from bench.runs.executors.slurm_job import Call, Job
from bench.runs.executors.slurm_queue import GONE, Queue, RefusedError, Seen, Wishes
from bench.runs.executors.slurm_signals import LeftError, jobs_left_to_themselves
from bench.runs.worker import Work

PAUSES_S: Final = (1.0, 15.0)  # between looks at the queue, at first and later
LATE_S: Final = (1.0, 75.0)  # what a job wrote may be seen so much later, on a disk and on a network file system
SILENT_S: Final = 180.0  # without an answer of squeue, until a person is told
LOOK: Final = "look with 'squeue --me' whether jobs are left"
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
    begun: bool = field(default=False, init=False)  # whether anything was queued or followed yet
    died: list[PlannedRun] = field(default_factory=list, init=False)  # of jobs that left no record
    here: str | None = field(default=None, init=False)
    stores: bool = field(default=True, init=False)

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        waiting = list(works)
        if not waiting:
            return
        watch = _Watch(self, waiting, follower)
        try:
            with jobs_left_to_themselves():
                watch.follow()
        except LeftError:
            watch.say_left()
            raise
        except (KeyboardInterrupt, StoreError):
            watch.cancel()
            raise

    @contextmanager
    def beside(self, function: Callable[..., None], *arguments: object) -> Iterator[Callable[[], bool]]:
        helpers = _Helpers(Queue(results_of(arguments), self.wishes), self.say)
        try:
            helpers.queue(Call(function, (*arguments, self.device)), self.jobs, 1 if self.wishes.local else self.jobs)
            yield helpers.at_work
            while helpers.at_work():
                time.sleep(PAUSES_S[0])
        finally:
            helpers.leave()


class _Answers:
    """What Slurm says of a queue. That it says nothing is told once it lasts; it is asked again."""

    def __init__(self, queue: Queue, say: Callable[[str], None]) -> None:
        self._queue, self._say = queue, say
        self._heard, self._complained = time.monotonic(), False

    def look(self) -> dict[str, Seen] | None:
        """As ``Queue.look``."""
        found, now = self._queue.look(), time.monotonic()
        if found is not None:
            self._heard, self._complained = now, False
        elif now - self._heard >= SILENT_S and not self._complained:
            self._complained = True
            self._say("squeue does not answer; until it does nothing more is queued, and what is goes on")
        return found


class _Helpers:
    """The jobs of ``OnSlurm.beside``."""

    def __init__(self, queue: Queue, say: Callable[[str], None]) -> None:
        self._queue, self._names, self._jobs = queue, list[str](), dict[str, Seen]()  # by their names
        self._say = say
        self._answers = _Answers(queue, say)
        self._begun = self._looked = time.monotonic()

    def queue(self, call: Call, jobs: int, batch: int) -> None:
        self._names = [f"{call.function.__name__} {uuid4().hex}" for _ in range(jobs)]
        with self._queue.alone():
            for some in (self._names[start : start + batch] for start in range(0, jobs, batch)):
                self._jobs |= zip(some, self._submitted([call] * len(some), some), strict=True)

    def at_work(self) -> bool:
        """Whether any job is not over; asked often, it looks at the queue seldom.

        Raises:
            WorkerError: If what a job called raised an error.
        """
        now = time.monotonic()
        if now - self._looked >= min(PAUSES_S[1], PAUSES_S[0] + (now - self._begun) / 60):
            self._looked = now
            self._look()
            for batch in {seen.batch for seen in self._jobs.values() if seen.over}:
                if error := self._queue.error(batch):
                    raise WorkerError(error)
        return any(not seen.over for seen in self._jobs.values())

    def leave(self) -> None:
        """Cancel what is not over, and leave no folder if Slurm says what is queued."""
        if _cancel(self._queue, self._names, self._jobs, self._say):
            self._queue.tidy()

    def _submitted(self, calls: Sequence[Call], names: Sequence[str]) -> list[Seen]:
        try:
            return self._queue.submit(calls, names)
        except RefusedError as error:
            raise ConfigError(f"Slurm does not take the jobs: {error}") from error

    def _look(self) -> None:
        found = self._answers.look()
        if found is None:
            return
        for name, known in self._jobs.items():
            if not known.over:
                self._jobs[name] = found.get(name, replace(known, state=GONE))


def _cancel(queue: Queue, names: Collection[str], known: Mapping[str, Seen], say: Callable[[str], None]) -> bool:
    """Cancel the jobs of these names and say if some may be left; False if Slurm does not say what is queued.

    Then the jobs count as they were last known, by their names.
    """
    found = queue.look()
    if found is None:
        say(f"Slurm does not say what is queued; {LOOK}")
    if not queue.cancel(seen for name, seen in (known if found is None else found).items() if name in names):
        say(f"scancel fails or does not answer; {LOOK}")
    return found is not None


class _Watch:
    """One call of ``OnSlurm.run``."""

    def __init__(self, executor: OnSlurm, works: Sequence[Work], follower: Follower) -> None:
        self._executor, self._follower = executor, follower
        self._waiting, self._watched = list(works), dict[str, _Watched]()
        self._queue, self._store = Queue(works[0].results, executor.wishes), ResultStore(works[0].results)
        self._late = LATE_S[network_file_system(works[0].results) is not None]
        self._answers = _Answers(self._queue, executor.say)
        self._most = executor.jobs if executor.wishes.local else BATCH  # in an array

    def follow(self) -> None:
        started, under_way = time.monotonic(), -1
        if not self._executor.begun:  # later its logs are of runs that died
            self._queue.tidy()
        self._executor.begun = True
        while self._waiting or self._watched:
            if self._waiting and len(self._watched) != under_way and self._submit():
                under_way = len(self._watched)
                if self._executor.detach:
                    return
            time.sleep(min(PAUSES_S[1], PAUSES_S[0] + (time.monotonic() - started) / 60))
            self._look()
        if all(self._store.has(run.dataset, run.model, run.run_id) for run in self._executor.died):
            self._queue.tidy()  # else the log of a job that left no record is kept

    def say_left(self) -> None:
        """Say that jobs outlive the command, if anybody hears it: its terminal may be closed."""
        jobs = counted(len(self._watched), "job")
        with suppress(OSError):
            self._executor.say(
                f"{jobs} {'goes' if len(self._watched) == 1 else 'go'} on; the same command follows them"
            )

    def cancel(self) -> None:
        ours = {*self._watched, *(work.run.run_id for work in self._waiting)}
        known = {run_id: watched.seen for run_id, watched in self._watched.items()}
        _cancel(self._queue, ours, known, self._executor.say)

    def _submit(self) -> bool:
        """Queue what is not queued yet, as far as Slurm lets us; False if it does not answer."""
        with self._queue.alone():
            found = self._answers.look()
            if found is None:  # what is queued is not known, so nothing may be queued
                return False
            if already := self._watch(found):
                self._executor.say(f"queued by an earlier command: {already}")
            while self._waiting and (batch := self._waiting[: self._room()]):
                calls = [Job(work.placed(self._executor.device), self._executor.wishes.cpus) for work in batch]
                before = [self._failure(work) for work in batch]
                try:
                    queued = self._queue.submit(calls, [work.run.run_id for work in batch])
                except RefusedError as error:
                    if len(batch) == 1 and not self._watched:
                        raise ConfigError(f"Slurm does not take the jobs: {error}") from error
                    if len(batch) == 1:
                        break  # a limit on jobs: those that end make room
                    self._most = len(batch) // 2
                else:
                    for work, failure, seen in zip(batch, before, queued, strict=True):
                        self._watched[work.run.run_id] = _Watched(work, failure, seen)
                    self._waiting = self._waiting[len(batch) :]
                    self._executor.say(f"queued: {len(batch)}, waiting for room: {len(self._waiting)}")
        return True

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
        found = self._answers.look()
        if found is None:  # what has left its record is over, whatever Slurm would say
            self._watched = {run_id: watched for run_id, watched in self._watched.items() if not self._told(watched)}
            return
        for run_id, watched in list(self._watched.items()):
            watched.seen = found.get(run_id, Seen(job=watched.seen.job, state=GONE, batch=watched.seen.batch))
            if not watched.begun and watched.seen.state != "PENDING":
                watched.begun = True
                self._follower.begun(watched.work)
            if not watched.seen.over:
                watched.over_since = None
            elif self._ended(watched):
                del self._watched[run_id]

    def _ended(self, watched: _Watched) -> bool:
        """Tell the follower of a job that is over; False if its record may still come."""
        if self._told(watched):
            return True
        watched.over_since = watched.over_since or time.monotonic()
        if time.monotonic() - watched.over_since < self._late:
            return False
        seen = watched.seen
        self._executor.died.append(watched.work.run)
        log = watched.work.results.absolute() / self._queue.name / seen.batch
        self._follower.died(watched.work, f"the job {seen.job} ended as {seen.state}; {log} has its log")
        return True

    def _told(self, watched: _Watched) -> bool:
        """Tell the follower of a run whose record is there; False if it is not."""
        run = watched.work.run
        there = self._store.has(run.dataset, run.model, run.run_id) or self._failure(watched.work) != watched.before
        if there:
            if not watched.begun:
                self._follower.begun(watched.work)
            self._follower.answered(watched.work, None)
        return there

    def _failure(self, work: Work) -> tuple[int, int] | None:
        return self._store.failure(work.run.dataset, work.run.model, work.run.run_id)


def make(
    places: Places,
    *,
    partition: str | None = None,
    minutes: int = 60,
    gpus: int | None = None,
    options: Mapping[str, str | bool] | None = None,
    local: bool = False,
    detach: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> OnSlurm:
    """Side by side on a Slurm cluster, as ``bench.runs.executors.slurm_queue.Wishes`` says.

    Raises:
        ConfigError: If there is no Slurm here, or what is wished is at odds.
        MissingPackageError: If submitit is not installed.
    """
    require("submitit", "slurm", "the executor slurm")
    if not local and shutil.which("sbatch") is None:
        raise ConfigError("there is no Slurm here (no sbatch); run this where jobs are submitted, or try --slurm-local")
    on_gpus = wants_gpu(places.device)
    if gpus and not on_gpus:
        raise ConfigError(
            f"--slurm-gpus {gpus} asks for GPUs and the device {places.device} for none; say --device cuda, or "
            "device='cuda'"
        )
    if places.runs_per_gpu is not None:
        raise ConfigError(
            "--runs-per-gpu, or runs_per_gpu=, is not Slurm's way; give --slurm-option gres=shard:1 or the "
            "like of your site"
        )
    wishes = Wishes(
        partition=partition,
        minutes=minutes,
        gpus=(gpus or 1) if on_gpus else 0,
        cpus=places.threads,
        at_once=places.jobs or (max(1, cores() // places.threads) if local else BATCH),
        options=options or {},
        local=local,
    )
    return OnSlurm(wishes.at_once, "cuda:0" if on_gpus else "cpu", wishes, say, detach)


def tidy(results: Path, *, local: bool = False, **_: object) -> None:
    """Remove what is left of jobs that are over and whose runs have records."""
    Queue(results, Wishes(local=local)).tidy(done_alone=True)
