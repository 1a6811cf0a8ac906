"""Runs a plan: each run once in the store, whoever else is at work on the same results folder.

A run is known by its id. What the store has is skipped; a run that another process holds is left until the end; a run
that fails, or takes its process down, becomes a failed record with its reason, and the next one starts.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from filelock import Timeout

from bench.catalog.data import Catalog
from bench.errors import ConfigError, WorkerError
from bench.records.planned import PlannedRun
from bench.records.record import Record, parse
from bench.records.store import ResultStore
from bench.runs.execution import failed_record, failure_of
from bench.runs.isolation import DirectCaller, RaisedError, call
from bench.runs.worker import Work, check_code, record_text

if TYPE_CHECKING:
    import torch


class Observer(Protocol):
    """Someone who follows a plan: the console, or MLflow."""

    def run_started(self, run: PlannedRun) -> None: ...

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None: ...

    def run_finished(self, run: PlannedRun, record: Record) -> None: ...

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None: ...


class Runner:
    """Executes plans on one device, into the store of one results folder.

    Args:
        catalog: The data sets.
        results: The results folder.
        device: Where models are trained and scored.
        observers: Called at each step of a run.
        compiled: Whether to use torch.compile.
        isolated: Whether each run has a worker process of its own, so that no model reaches another one's run.
    """

    def __init__(
        self,
        catalog: Catalog,
        results: Path,
        device: torch.device,
        observers: Sequence[Observer] = (),
        *,
        compiled: bool = False,
        isolated: bool = True,
    ) -> None:
        self.store, self._compiled, self._isolated = ResultStore(results), compiled, isolated
        self._checkpoints = results / "checkpoints"
        self._catalog, self._device, self._observers = catalog, device, observers

    def run(self, plan: Sequence[PlannedRun], *, force: bool = False) -> Counter[str]:
        """Execute what the store does not have yet; with ``force``, also what it has (the old record is kept aside).

        Returns:
            The number of runs that are "done", "skipped" and "failed".
        """
        outcome, waiting = Counter(done=0, skipped=0, failed=0), deque[PlannedRun]()
        for run in plan:
            if force:
                self._forget(run)
            if not self._attempt(run, outcome, timeout=0, skipped="stored"):
                waiting.append(run)
        while waiting:  # another process holds these: wait, then see what it left
            self._attempt(waiting.popleft(), outcome, timeout=-1, skipped="elsewhere")
        return outcome

    def _attempt(
        self, run: PlannedRun, outcome: Counter[str], *, timeout: float, skipped: Literal["stored", "elsewhere"]
    ) -> bool:
        """Run or skip; False if another process holds the run."""
        if not self._stored(run):
            try:
                with self.store.lock(run.run_id).acquire(timeout=timeout):
                    if not self._stored(run):
                        record = self._execute(run)
                        outcome[record.status] += 1
                        return True
            except Timeout:
                return False
        outcome["skipped"] += 1
        self._tell(lambda observer: observer.run_skipped(run, skipped))
        return True

    def _forget(self, run: PlannedRun) -> None:
        """Put a stored record aside, and drop the checkpoint of an unfinished run, unless another process is at it."""
        with contextlib.suppress(Timeout), self.store.lock(run.run_id).acquire(timeout=0):
            self.store.retire(run.dataset, run.model, run.run_id)
            self._checkpoint(run).unlink(missing_ok=True)

    def _stored(self, run: PlannedRun) -> bool:
        return self.store.has(run.dataset, run.model, run.run_id)

    def _execute(self, run: PlannedRun) -> Record:
        self._tell(lambda observer: observer.run_started(run))
        record = self._record(run)
        self.store.write(record)
        if record.status == "done":
            self._checkpoint(run).unlink(missing_ok=True)
        self._tell(lambda observer: observer.run_finished(run, record))
        return record

    def _record(self, run: PlannedRun) -> Record:
        work = Work(
            run=run,
            catalog=self._catalog,
            device=self._device,
            checkpoint=self._checkpoint(run),
            compiled=self._compiled,
        )

        def on_epoch(row: dict[str, float]) -> None:
            self._tell(lambda observer: observer.epoch(run, row))

        try:
            check_code(run)  # a worker imports the files anew, so they are those that were checked
            if not self._isolated:
                return parse(record_text(work, DirectCaller(on_epoch)), run.title)
            return parse(call(record_text, work, on_row=on_epoch), run.title)
        except RaisedError as error:
            return failed_record(run, error.failure)
        except (WorkerError, ConfigError) as error:
            return failed_record(run, failure_of(error))

    def _checkpoint(self, run: PlannedRun) -> Path:
        return self._checkpoints / f"{run.run_id}.pt"

    def _tell(self, message: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            message(observer)
