"""What a job of Slurm does. It needs no driver, and goes on where it was stopped when Slurm begins it again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.errors import BenchError, WorkerError
from bench.records.record import Record, parse
from bench.records.store import ResultStore
from bench.runs.execution import failed_record, failure_of
from bench.runs.executors.elsewhere import carry_out
from bench.runs.worker import Work, check_code

ERROR: Final = "error.txt"
"""In the folder of a batch, what a function raised in a job of it."""


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
        return _once_more(self)

    def _record(self) -> Record:
        """The record, of a process that died twice a failed one."""
        run = self.work.run
        try:
            check_code(run)
        except BenchError as error:
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
    """A function called in a job; what it raises of ours is left beside the job's log, where the driver looks."""

    function: Callable[..., None]
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        signal.signal(signal.SIGTERM, leave)
        try:
            self.function(*self.arguments)
        except BenchError as error:
            (Path(os.environ["SUBMITIT_FOLDER"]) / ERROR).write_text(str(error), encoding="utf-8")
            raise

    def checkpoint(self) -> Any:
        return _once_more(self)


def _once_more(call: Callable[[], None]) -> Any:
    from submitit.helpers import DelayedSubmission

    return DelayedSubmission(call)


def leave(*_: object) -> None:
    """What a signal does that ends a process in order."""
    sys.exit(128 + signal.SIGTERM)
