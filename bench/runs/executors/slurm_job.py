"""What a job of Slurm does. It needs no driver, and goes on where it was stopped when Slurm begins it again."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.errors import ConfigError, WorkerError
from bench.records.record import Record, parse
from bench.records.store import ResultStore
from bench.runs.execution import failed_record, failure_of
from bench.runs.executors.elsewhere import carry_out
from bench.runs.worker import Work, check_code


@dataclass(frozen=True)
class Job:
    """A run that is made and whose record is stored, unless it is there already.

    ``checkpoint`` is what submitit asks for when time is up or the job gives way: the same once more.
    """

    work: Work
    threads: int

    def __call__(self) -> None:
        signal.signal(signal.SIGTERM, leave)  # submitit would stay until it is killed
        run, store = self.work.run, ResultStore(self.work.results)
        lock = store.lock(run.run_id)
        lock.acquire()
        try:
            if store.has(run.dataset, run.model, run.run_id):
                return
            record = self._record()
            store.write(record)
            if record.status == "done":
                self.work.forget_progress()
        finally:
            store.release(lock)

    def checkpoint(self) -> Any:
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _record(self) -> Record:
        """The record, of a process that died twice a failed one."""
        run = self.work.run
        try:
            check_code(run)
        except ConfigError as error:
            return failed_record(run, failure_of(error))
        reason = ""
        for _ in range(2):
            for said in carry_out(self.work, self.threads):
                if isinstance(said, dict):
                    print(f"{run.title}: epoch {said['epoch']:.0f}", flush=True)
                elif said.how == "died":
                    reason = said.value
                elif isinstance(said.value, bytes):
                    return parse(said.value, run.title)
                else:
                    return failed_record(run, said.value)
        return failed_record(run, failure_of(WorkerError(f"{reason}; a second try ended alike")))


@dataclass(frozen=True)
class Call:
    """A function called in a job."""

    function: Callable[..., None]
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        signal.signal(signal.SIGTERM, leave)
        self.function(*self.arguments)


def leave(*_: object) -> None:
    """What a signal does that ends a process in order."""
    sys.exit(128 + signal.SIGTERM)
