"""Runs a plan: each run once in the store, whoever else is at work on the same results folder.

A run is known by its id. What the store has is skipped; a run that another process holds is left until the end; a run
that fails becomes a failed record with its reason, and the next one starts.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from filelock import Timeout

from bench.catalog import registry
from bench.catalog.code import code_of
from bench.catalog.data import Catalog
from bench.catalog.pretrained import check_weights
from bench.errors import ConfigError, DataError
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun, Record, dump
from bench.records.store import ResultStore
from bench.runs.execution import done_record, environment, failed_record

if TYPE_CHECKING:
    import torch

    from bench.task import Task
    from bench.types import SpatioTemporalData


class Observer(Protocol):
    """Someone who follows a plan: the console, or MLflow."""

    def run_started(self, run: PlannedRun) -> None: ...

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None: ...

    def run_finished(self, run: PlannedRun, record: Record) -> None: ...

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None: ...


class Runner:
    """Executes plans on one device, into the store of one results folder; ``compiled`` is torch.compile for models."""

    def __init__(
        self,
        catalog: Catalog,
        results: Path,
        device: torch.device,
        observers: Sequence[Observer] = (),
        *,
        compiled: bool = False,
    ) -> None:
        self.store, self._compiled = ResultStore(results), compiled
        self._checkpoints = results / "checkpoints"
        self._device, self._observers = device, observers
        self._load = lru_cache(maxsize=1)(catalog.load)

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
        try:
            record: Record = self._done_record(run)
            dump(record)
        except Exception as error:  # noqa: BLE001 - whatever a model does, the suite goes on and the reason is kept
            record = failed_record(run, error)
        self.store.write(record)
        if record.status == "done":
            self._checkpoint(run).unlink(missing_ok=True)
        self._tell(lambda observer: observer.run_finished(run, record))
        return record

    def _done_record(self, run: PlannedRun) -> DoneRun:
        from bench.context import RunContext
        from bench.runs.evaluator import run_model

        context = RunContext(seed=run.spec.seed, device=self._device)
        outcome = run_model(
            registry.load("model", run.model),
            run.spec.config,
            run.spec.train,
            lambda: open_task(run, self._load, self._device),
            context,
            checkpoint=self._checkpoint(run),
            on_epoch=lambda row: self._tell(lambda observer: observer.epoch(run, row)),
            compiled=self._compiled,
        )
        return done_record(run, outcome, environment(context, compiled=self._compiled))

    def _checkpoint(self, run: PlannedRun) -> Path:
        return self._checkpoints / f"{run.run_id}.pt"

    def _tell(self, message: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            message(observer)


def open_task(
    run: PlannedRun, load: Callable[[str], SpatioTemporalData], device: torch.device, *, test_allowed: bool = True
) -> Task:
    """The windows of a planned run.

    Raises:
        DataError, ConfigError, WeightsError: If its data, its code or its weights are no longer those of the plan.
    """
    from bench.task import Task

    data = load(run.dataset)
    if data.identity != run.spec.data:
        raise DataError(f"the files of '{run.dataset}' have changed since this command began; run it again")
    check_weights(run.model, run.spec.config, run.spec.weights_sha256)
    days_back = getattr(registry.load("model", run.model), "DAYS_BACK", ())
    task = Task(data, run.spec.task, device, days_back=days_back, test_allowed=test_allowed)
    if run.code != code_of(run.dataset, run.model):
        raise ConfigError(f"the code behind '{run.model}' has changed since this command began; run it again")
    return task
