"""Runs a plan: each run once in the store, whoever else is at work on the same results folder.

A run is known by its id. What the store has is skipped; a run that another process holds is left until the end; a run
that fails becomes a failed record with its reason, and the next one starts.
"""

from __future__ import annotations

import contextlib
import subprocess
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from filelock import Timeout

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.errors import ConfigError, DataError
from bench.records.store import SCHEMA, Record, ResultStore, dump_record
from bench.runs.estimate import work
from bench.runs.spec import PlannedRun, code_hash

if TYPE_CHECKING:
    import torch
    from torch import nn

    from bench.context import RunContext
    from bench.records.sample import Sample
    from bench.task import Task
    from bench.train import Training
    from bench.types import DatasetCard, SpatioTemporalData

LIBRARIES = ("torch", "timm", "open_clip_torch", "transformers", "optuna", "mlflow", "numpy", "pandas")


class Observer(Protocol):
    """Someone who follows a plan: the console, or MLflow."""

    def run_started(self, run: PlannedRun) -> None: ...

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None: ...

    def run_finished(self, run: PlannedRun, record: Record) -> None: ...

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None: ...


@dataclass(kw_only=True)
class Outcome:
    """How a plan ended, in runs."""

    done: int = 0
    skipped: int = 0
    failed: int = 0


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

    def run(self, plan: Sequence[PlannedRun], *, force: bool = False) -> Outcome:
        """Execute what the store does not have yet; with ``force``, also what it has (the old record is kept aside)."""
        outcome, waiting = Outcome(), deque[PlannedRun]()
        for run in plan:
            if force:
                self._forget(run)
            if not self._attempt(run, outcome, timeout=0, skipped="stored"):
                waiting.append(run)
        while waiting:  # another process holds these: wait, then see what it left
            self._attempt(waiting.popleft(), outcome, timeout=-1, skipped="elsewhere")
        return outcome

    def _attempt(
        self, run: PlannedRun, outcome: Outcome, *, timeout: float, skipped: Literal["stored", "elsewhere"]
    ) -> bool:
        """Run or skip; False if another process holds the run."""
        if not self._stored(run):
            try:
                with self.store.lock(run.run_id).acquire(timeout=timeout):
                    if not self._stored(run):
                        record = self._execute(run)
                        outcome.done += record["status"] == "done"
                        outcome.failed += record["status"] == "failed"
                        return True
            except Timeout:
                return False
        outcome.skipped += 1
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
            record = self._done_record(run)
            dump_record(record)
        except Exception as error:  # noqa: BLE001 - whatever a model does, the suite goes on and the reason is kept
            record = _failed_record(run, error)
        self.store.write(record)
        if record["status"] == "done":
            self._checkpoint(run).unlink(missing_ok=True)
        self._tell(lambda observer: observer.run_finished(run, record))
        return record

    def _done_record(self, run: PlannedRun) -> Record:
        from bench.context import RunContext, environment
        from bench.runs.evaluator import evaluate

        context = RunContext(seed=run.spec.seed, device=self._device)
        context.begin()
        started = context.seconds()
        task = open_task(run, self._load, self._device)
        module = registry.load("model", run.model)
        model = module.Model(task.shape, module.Config(**run.spec.config)).to(self._device)
        if self._compiled:
            model.compile()  # in place: names of weights stay, and so do checkpoints
        preparing = context.seconds() - started
        training = self._train(run, model, task, context)
        trained = context.seconds()
        evaluation = evaluate(model, task, context, precision=run.spec.train.precision)
        cost = {
            **evaluation.cost,
            "train_s": training.seconds,
            "wall_s": preparing + training.seconds + context.seconds() - trained,
            "epochs": len(training.curve),
            "work": work(task.counts(), run.spec.train, len(training.curve), task.shape.cells),
        }
        return {
            **_common(run),
            "status": "done",
            "scores": evaluation.scores,
            "counts": evaluation.counts,
            "cost": cost,
            "certificate": {**evaluation.certificate, "best_epoch": training.best_epoch},
            "windows": evaluation.windows,
            "sample": _sample(evaluation.sample, self._load(run.dataset).card),
            "environment": {
                **environment(self._device),
                "compiled": self._compiled,
                "libraries": libraries(),
                "commit": _commit(),
            },
            "curve": list(training.curve),
            "error": None,
        }

    def _train(self, run: PlannedRun, model: nn.Module, task: Task, context: RunContext) -> Training:
        from bench.train import Trainer, Training
        from bench.types import Fittable

        started = context.seconds()
        if isinstance(model, Fittable):
            model.fit(task.series)
        elif any(p.requires_grad for p in model.parameters()):
            trainer = Trainer(model, task, run.spec.train, context)
            on_epoch = self._epoch_listener(run)
            return trainer.run(self._checkpoint(run), on_epoch)
        return Training(curve=(), best_epoch=0, seconds=context.seconds() - started)

    def _epoch_listener(self, run: PlannedRun) -> Callable[[dict[str, float]], None]:
        return lambda row: self._tell(lambda observer: observer.epoch(run, row))

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
        DataError, ConfigError: If its data or its code are no longer those of the plan.
    """
    from bench.task import Task

    data = load(run.dataset)
    if data.identity != run.spec.data:
        raise DataError(f"the files of '{run.dataset}' have changed since this command began; run it again")
    days_back = getattr(registry.load("model", run.model), "DAYS_BACK", ())
    task = Task(data, run.spec.task, device, days_back=days_back, test_allowed=test_allowed)
    if run.code != code_hash(run.dataset, run.model):
        raise ConfigError(f"the code behind '{run.model}' has changed since this command began; run it again")
    return task


def _common(run: PlannedRun) -> Record:
    data = run.spec.data
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "code": run.code,
        "role": registry.role(run.model),
        "spec": run.spec.as_dict(),
        "label": dict(run.label),
        "data": {"version": data.version, "sha256": data.sha256, "stand_in": data.stand_in},
        "weights": run.spec.weights,
    }


def _sample(sample: Sample | None, card: DatasetCard) -> dict[str, Any] | None:
    """With the names that the card knows, and the day of the week where it is one of the calendar."""
    from bench.records.sample import pack

    if sample is None:
        return None
    weekday = None if card.start is None else sample.weekday
    return pack(replace(sample, channel=card.channels[0], unit=card.unit, weekday=weekday))


def _failed_record(run: PlannedRun, error: Exception) -> Record:
    last = traceback.extract_tb(error.__traceback__)[-1]
    message = " ".join(str(error).split()) or type(error).__name__
    return {
        **_common(run),
        "status": "failed",
        "scores": None,
        "counts": None,
        "cost": None,
        "certificate": None,
        "windows": None,
        "sample": None,
        "environment": {"libraries": libraries(), "commit": _commit()},
        "curve": [],
        "error": {
            "type": type(error).__name__,
            "message": message,
            "where": f"{Path(last.filename).name}:{last.lineno}",
        },
    }


def libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _commit() -> str | None:
    """The project's git commit, with "+" behind it where files differ; None outside a checkout."""
    command = ["git", "-C", str(registry.ROOT), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
