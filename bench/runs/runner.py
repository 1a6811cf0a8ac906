"""Runs a plan: each run once in the store, whoever else is at work on the same results folder.

A run is known by its id. What the store has is skipped; a run that another process holds is left until the end; a run
that fails, or takes its process down twice, becomes a failed record with its reason, and the others go on.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from filelock import FileLock, Timeout

from bench.catalog.data import Catalog
from bench.errors import NO_SPACE, ConfigError, StoreError, WorkerError
from bench.files import sweep
from bench.records.failure_log import without_traceback
from bench.records.planned import PlannedRun
from bench.records.record import FailedRun, Failure, Record, parse
from bench.records.saved import NOTHING, Saving
from bench.records.store import ResultStore
from bench.runs.execution import failed_record, failure_of, full_disk
from bench.runs.executors import Executor
from bench.runs.executors.direct import Direct
from bench.runs.executors.processes import Processes
from bench.runs.isolation import Row
from bench.runs.worker import Work, check_code

if TYPE_CHECKING:
    import torch

Skipped = Literal["stored", "elsewhere"]
PAUSE_S = 0.2  # between looks at runs that other processes hold
ASKED_S = 0.1  # for a lock that nobody holds but who looks at it, as status does


class Observer(Protocol):
    """Someone who follows a plan: the console, or MLflow. Several runs may be under way at once."""

    def run_started(self, run: PlannedRun) -> None: ...

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None: ...

    def run_finished(self, run: PlannedRun, record: Record) -> None: ...

    def run_retried(self, run: PlannedRun, why: str) -> None:
        """It is tried once more: its worker ended before it did, or what is in the place of its record is none."""

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None: ...


class Runner:
    """Executes plans, into the store of one results folder.

    Args:
        catalog: The data sets.
        results: The results folder.
        executor: Who makes the runs; or a device, on which they are made one after the other.
        observers: Called at each step of a run, in the thread that called ``run``.
        compiled: Whether to use torch.compile.
        time_limit: Seconds after which a run's process is ended, and the run has failed; None for no limit.
        isolated: Whether each run on a device has a process of its own, so that no model reaches another one's run.
        saving: What of each run is saved beside its record.
    """

    def __init__(
        self,
        catalog: Catalog,
        results: Path,
        executor: Executor | torch.device | str,
        observers: Sequence[Observer] = (),
        *,
        compiled: bool = False,
        time_limit: float | None = None,
        isolated: bool = True,
        saving: Saving = NOTHING,
    ) -> None:
        self.store, self._compiled, self._time_limit = ResultStore(results), compiled, checked_limit(time_limit)
        self._saving = saving
        if not isinstance(executor, Executor):
            executor = Processes([str(executor)], threads=None) if isolated else Direct(str(executor))
        self._executor = executor
        self._results, self._checkpoints = results, results / "checkpoints"
        self._catalog, self._observers = catalog, observers

    def run(self, plan: Sequence[PlannedRun], *, force: bool = False) -> Counter[str]:
        """Execute what the store does not have yet; with ``force``, also what it has (the old record is kept aside).

        Returns:
            The number of runs that are "done", "skipped" and "failed".
        """
        works = [self._work(run) for run in plan]
        driver = _Driver(self.store, self._executor, self._observers, [self._catalog.cache])
        return driver.run(works, force=force)

    def _work(self, run: PlannedRun) -> Work:
        return Work(
            run=run,
            catalog=self._catalog,
            results=self._results,
            checkpoint=self._checkpoints / f"{run.run_id}.pt",
            compiled=self._compiled,
            saving=self._saving,
            time_limit=self._time_limit,
        )


def checked_limit(seconds: float | None) -> float | None:
    """A limit of time.

    Raises:
        ConfigError: If it is no number of seconds.
    """
    if seconds is not None and not (isinstance(seconds, int | float) and 0 < seconds < math.inf):
        raise ConfigError(f"time_limit is {seconds!r}, wanted a number of seconds above 0, or None")
    return seconds


def _refuse_full_disk(record: Record) -> None:
    """A run that found no space says nothing of its model, and the next one would find none either.

    Raises:
        StoreError: If the disk of a worker is full; it ends all of them.
    """
    if record.status == "failed" and full_disk(record.error):
        said = record.error.message
        raise StoreError(said if NO_SPACE in said else f"a file cannot be written ({said}): {NO_SPACE}")


class _Driver:
    """One plan being carried out: gives works to an executor and takes their records from it."""

    def __init__(
        self, store: ResultStore, executor: Executor, observers: Sequence[Observer], swept: Sequence[Path]
    ) -> None:
        self._store, self._executor, self._observers, self._swept = store, executor, observers, swept
        self._locks: dict[str, FileLock] = {}  # by run id, of runs that are under way
        self._again: deque[Work] = deque()  # their worker died
        self._tried_twice: set[str] = set()
        self._started: set[str] = set()  # of these the observers know
        self._done: list[PlannedRun] = []  # and stored
        self._failed: list[FailedRun] = []  # and stored
        self._outcome = Counter(done=0, skipped=0, failed=0)

    def run(self, works: Sequence[Work], *, force: bool) -> Counter[str]:
        waiting, begun = list(works), False
        self._sweep()
        skipped: Skipped = "stored"
        try:
            while waiting or self._again:
                held: list[Work] = []
                given = self._given(waiting, held, skipped, force=force)
                if (first := next(given, None)) is not None:
                    begun = True
                    self._executor.run(chain([first], given), self)
                if len(held) == len(waiting):  # other processes hold these: wait, then see what they left
                    time.sleep(PAUSE_S)
                waiting, skipped, force = held, "elsewhere", False
        finally:
            for lock in self._locks.values():
                self._store.release(lock)
            if begun:
                self._sweep()
        self._look_after()
        return self._outcome

    def _look_after(self) -> None:
        """A record that was stored and is gone again is a failed run: no command ends with nothing there."""
        for record in self._failed:
            if self._store.failure(record.dataset, record.model, record.run_id) is None:
                self._store.write(record)
        for run in [run for run in self._done if not self._stored(run)]:
            gone = StoreError(
                "its record was stored and is gone: something deletes files of the results while runs are made, such "
                "as a model; run it again without that"
            )
            self._outcome["done"] -= 1
            self._store.write(record := failed_record(run, failure_of(gone)))
            self._start_and_count(run, record)

    def _sweep(self) -> None:
        """Remove what killed processes left behind."""
        self._store.sweep()
        sweep(self._swept)

    def _given(self, works: Iterable[Work], held: list[Work], skipped: Skipped, *, force: bool) -> Iterator[Work]:
        """Those that are to be made, locked one by one; those that another process holds become ``held``."""
        for work in works:
            while self._again:
                yield self._again.popleft()
            if force:
                self._forget(work)
            if self._claim(work, held, skipped) and self._unchanged(work):
                yield work
        while self._again:
            yield self._again.popleft()

    def _claim(self, work: Work, held: list[Work], skipped: Skipped) -> bool:
        """Whether a work is ours to make, and locked if that is for the driver to do."""
        run = work.run
        if not self._executor.stores and not self._stored(run):
            lock = self._store.lock(run.run_id)
            try:
                lock.acquire(timeout=ASKED_S)
            except Timeout:
                held.append(work)
                return False
            self._locks[run.run_id] = lock
        if self._stored(run):
            self._release(run)
            self._outcome["skipped"] += 1
            self._tell(lambda observer: observer.run_skipped(run, skipped))
            return False
        if trouble := self._store.trouble(run.dataset, run.model, run.run_id):
            self._tell(lambda observer: observer.run_retried(run, trouble))
        return True

    def _forget(self, work: Work) -> None:
        """Put a stored record aside, and drop the checkpoint of an unfinished run, unless another process is at it."""
        run = work.run
        lock = self._store.lock(run.run_id)
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=ASKED_S)
            try:
                self._store.retire(run.dataset, run.model, run.run_id)
                work.forget_progress()
            finally:
                self._store.release(lock)

    def _stored(self, run: PlannedRun) -> bool:
        return self._store.has(run.dataset, run.model, run.run_id)

    def _unchanged(self, work: Work) -> bool:
        """Whether the code is that of the plan, which a worker imports anew; a run whose code changed fails."""
        try:
            check_code(work.run)
        except ConfigError as error:
            self.answered(work, failure_of(error))
            return False
        return True

    def begun(self, work: Work) -> None:
        """Tell of a run that has started, once; a cluster may tell of its end alone."""
        if work.run.run_id not in self._started:
            self._started.add(work.run.run_id)
            self._tell(lambda observer: observer.run_started(work.run))

    def row(self, work: Work, row: Row) -> None:
        self.begun(work)
        self._tell(lambda observer: observer.epoch(work.run, row))

    def died(self, work: Work, reason: str) -> None:
        """Give the work once more, which goes on from its checkpoint; the second time the run has failed."""
        if work.run.run_id in self._tried_twice:
            self.answered(work, failure_of(WorkerError(f"{reason}; a second try ended alike")))
        else:
            self._tried_twice.add(work.run.run_id)
            self._again.append(work)
            self._tell(lambda observer: observer.run_retried(work.run, reason))

    def answered(self, work: Work, answer: bytes | Failure | None) -> None:
        run = work.run
        if answer is None:
            record = self._stored_by_job(run)
        else:
            record = parse(answer, run.title) if isinstance(answer, bytes) else failed_record(run, answer)
            _refuse_full_disk(record)
            if not self._store.write(record):  # another process, or a job believed to be lost, was there first
                record = self._store.read(run.dataset, run.model, run.run_id)
        record = without_traceback(record)
        if record.status == "done":
            work.forget_progress()
            self._done.append(run)
        else:
            self._failed.append(record)
        self._release(run)
        self.begun(work)
        self._count(run, record)

    def _stored_by_job(self, run: PlannedRun) -> Record:
        try:
            return self._store.read(run.dataset, run.model, run.run_id)
        except StoreError as error:  # it is gone again, or no record
            return failed_record(run, failure_of(error))

    def _start_and_count(self, run: PlannedRun, record: Record) -> None:
        self._tell(lambda observer: observer.run_started(run))
        self._count(run, record)

    def _count(self, run: PlannedRun, record: Record) -> None:
        self._outcome[record.status] += 1
        self._tell(lambda observer: observer.run_finished(run, record))

    def _release(self, run: PlannedRun) -> None:
        if lock := self._locks.pop(run.run_id, None):
            self._store.release(lock)

    def _tell(self, message: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            message(observer)
