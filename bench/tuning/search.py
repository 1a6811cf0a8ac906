"""Tuning: trials of one study after another, each trained as a run would be and judged on validation alone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.errors import TrainingError
from bench.records.failure_log import write_log
from bench.runs.ends import RaisedError
from bench.runs.execution import failure_of
from bench.runs.isolation import Caller, call
from bench.runs.search import search_of
from bench.runs.tuned import Found, Tuned, digest
from bench.runs.worker import check_code, open_task
from bench.tuning.storage import open_storage
from bench.tuning.studies import Job, SharedStudy, Target, grouped, is_default
from bench.tuning.study import edges
from bench.tuning.worker import Worker

if TYPE_CHECKING:
    import torch
    from optuna.trial import Trial
    from torch import nn

    from bench.forecast import Sampling
    from bench.records.planned import PlannedRun
    from bench.records.spec import Spec
    from bench.settings import TrainSettings
    from bench.task import Task
    from bench.train import Training

MOST_FAILURES = 5
PAUSE_S = 0.5  # between looks at what other workers do


class Observer(Protocol):
    """Someone who follows a study: the console, or MLflow."""

    def trial_started(self, study: SharedStudy, number: int) -> None: ...

    def epoch(self, study: SharedStudy, row: Mapping[str, float]) -> None: ...

    def looked(self, study: SharedStudy) -> None:
        """Trials may have ended, here or elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where a worker works.

    Attributes:
        storage: URL of a database; None is a journal file for each data set and model below ``results``.
        device: As on the command line.
        threads: Of each trial; None is as many as torch has here.
        time_limit: Seconds after which a trial's process is ended, and the trial has failed; None for no limit.
    """

    results: Path
    data_dir: Path | None
    storage: str | None
    device: str
    threads: int | None = None
    time_limit: float | None = None


class Tuner:
    """One worker: takes trials of studies and runs them, each in a process of its own if ``isolated``.

    One that does not take any waits for those of others. Use it in a ``with``.
    """

    def __init__(
        self,
        workplace: Workplace,
        target: Target,
        observers: Sequence[Observer] = (),
        *,
        takes: bool = True,
        isolated: bool = True,
    ) -> None:
        from bench.context import resolve_device

        self._takes, self._isolated = takes, isolated
        self._workplace, self._target, self._observers = workplace, target, observers
        self._device = resolve_device(workplace.device)
        self._worker = Worker(workplace.results)
        self._catalog = Catalog(data_dir=workplace.data_dir, cache=workplace.results / "cache")

    def __enter__(self) -> Tuner:
        self._worker.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.__exit__(None, None, None)

    def tune(self, job: Job, *, wait: bool, at_work: Callable[[], bool] = lambda: True) -> SharedStudy:
        """Run trials until all that are wanted are finished; without ``wait``, until others are at work on the rest.

        Args:
            job: What is tuned.
            wait: Whether to wait for others' trials.
            at_work: Asked meanwhile whether any others are there; what it raises passes.

        Raises:
            TrainingError: If too many trials in a row fail, or nobody is left to take those that are wanted.
            BenchError: If the data, the model's code or the storage cannot be used.
        """
        journal = self._worker.folder / job.run.dataset / f"{job.name}.journal"
        study = SharedStudy(job, self._target, open_storage(self._workplace.storage, journal), self._worker)
        self._tell(lambda observer: observer.looked(study))
        checked, failures = False, 0
        while (trial := self._claim(study, at_work if wait else None)) is not None:
            if not checked:
                check_code(job.run)  # what was edited ends the study
                self._task(job.run)  # and so do data that changed
                checked = True
            self._tell(lambda observer: observer.trial_started(study, trial.number))
            reason = self._try(study, trial)
            self._tell(lambda observer: observer.looked(study))
            failures = failures + 1 if reason else 0
            if failures >= MOST_FAILURES:
                raise TrainingError(f"{failures} trials of {job.title} in a row failed, the last with: {reason}")
        return study

    def _tell(self, message: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            message(observer)

    def _claim(self, study: SharedStudy, at_work: Callable[[], bool] | None) -> Trial | None:
        """A trial to run; None if there is none, with ``at_work`` not before those of others are done."""
        while True:
            helped = at_work is not None and at_work()  # before the study is looked at, which they may just have ended
            trial = study.claim() if self._takes else None
            if trial is not None or at_work is None or study.done():
                self._tell(lambda observer: observer.looked(study))
                return trial
            self._tell(lambda observer: observer.looked(study))
            if not (helped or self._takes or study.under_way()):
                raise TrainingError(_deserted(study))
            time.sleep(PAUSE_S)

    def _task(self, run: PlannedRun) -> Task:
        """The windows of training and validation; those of test stay closed."""
        return open_task(run, self._catalog, self._device, test_allowed=False)

    def _try(self, study: SharedStudy, trial: Trial) -> str:
        """Run a trial and store how it ended; the reason if it failed."""
        from optuna import TrialPruned

        started = time.perf_counter()
        try:
            value = self._objective(study, trial, started)
        except TrialPruned:
            study.prune(trial)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model does, the reason is kept and the study goes on
            study.spend(trial, time.perf_counter() - started)
            failure = error.failure if isinstance(error, RaisedError) else failure_of(error)
            title = f"{study.job.title} / trial {trial.number}"
            write_log(log_of(self._workplace.results, study.job, trial.number), title, failure)
            study.fail(trial, str(failure))
            return str(failure)
        else:
            study.spend(trial, time.perf_counter() - started)
            study.finish(trial, value)
        return ""

    def _objective(self, study: SharedStudy, trial: Trial, started: float) -> float:
        """Validation MAE, in physical units; of a model that is trained, after its best epoch."""
        from optuna import TrialPruned

        spec = study.job.spec(trial.params)
        last = spec.train.epochs

        def on_epoch(row: dict[str, float]) -> None:
            trial.report(row["val_mae"], int(row["epoch"]))
            trial.set_user_attr("seconds", time.perf_counter() - started)
            self._tell(lambda observer: observer.epoch(study, row))
            if not is_default(trial) and row["epoch"] < last and (trial.should_prune() or study.spent()):
                raise TrialPruned

        if self._isolated:
            work, limit = (spec, study.job.run, self._catalog, self._device), self._workplace.time_limit
            threads, name = self._workplace.threads, f"{study.job.title} / trial {trial.number}"
            return call(trial_mae, *work, on_row=on_epoch, threads=threads, limit=limit, name=name)
        return mae_of(spec, self._task(study.job.run), self._device, on_epoch)


def log_of(results: Path, job: Job, trial: int) -> Path:
    """Where the whole error of a failed trial is, in a results folder."""
    return results / "tuning" / job.run.dataset / f"{job.name}.trial-{trial}.failed.log"


def trial_mae(spec: Spec, run: PlannedRun, catalog: Catalog, device: torch.device, caller: Caller) -> float:
    """What a worker does: ``mae_of`` a trial of the study of ``run``."""
    return mae_of(spec, open_task(run, catalog, device, test_allowed=False), device, caller.row)


def mae_of(spec: Spec, task: Task, device: torch.device, on_epoch: Callable[[dict[str, float]], None]) -> float:
    """Train with these settings; validation MAE in physical units."""
    from bench.context import RunContext, flags_kept
    from bench.forecast import sampling_of
    from bench.train import make_model, train_model

    with flags_kept():
        context = RunContext(seed=spec.seed, device=device)
        context.begin()
        module = registry.load("model", spec.model)
        model, sampling = make_model(module, spec.config, task.shape, device), sampling_of(module, spec.seed)
        training = train_model(model, task, spec.train, context, sampling=sampling, on_epoch=on_epoch)
        return validation_mae(training, model, task, spec.train, sampling)


def validation_mae(
    training: Training, model: nn.Module, task: Task, train: TrainSettings, sampling: Sampling | None = None
) -> float:
    """After the best epoch of a model that was trained; any other is scored. In units as ``bench.train.comparable``.

    Raises:
        TrainingError: If the error is not finite.
    """
    from bench.scoring import score
    from bench.train import comparable

    if training.curve:
        return min(row["val_mae"] for row in training.curve)
    val = score(model.eval(), task.val, task, precision=train.precision, sampling=sampling)
    mae = comparable(val.sums, task).scores()["mae"].overall
    if mae is None:
        raise TrainingError("the validation MAE is not finite")
    return mae


def winner(study: SharedStudy) -> Tuned | None:
    """What a study found, as a file's content; None if no trial is complete."""
    best, tally, job = study.best(), study.tally(), study.job
    if best is None or best.value is None:
        return None
    model, train = grouped(best.params, "model"), grouped(best.params, "train")
    spec = job.run.spec
    outcome = Found(
        study=job.study,
        task=spec.task.name,
        protocol=spec.task.protocol,
        profile=job.profile,
        fixed=job.fixed,
        variant=job.run.variant,
        weights=spec.weights,
        synthetic=spec.data.synthetic,
        asked=str(study.target.at_least(tally.finished)),
        code=job.run.code,
        finished=tally.finished,
        pruned=tally.pruned,
        failed=tally.failed,
        seconds=round(tally.seconds, 1),
        default_mae=tally.default,
        best_mae=best.value,
        best_trial=best.number,
        values=digest(model, train),
        edges=edges(job.scales, best.params),
        search=search_of(spec, job.space),
    )
    return Tuned(model=model, train=train, found=outcome)


def _deserted(study: SharedStudy) -> str:
    """That nobody works on a study any more, and what its last failed trial said."""
    reasons = [reason for trial in study.trials() if (reason := trial.user_attrs.get("reason"))]
    last = f" (the last failed trial said: {reasons[-1]})" if reasons else ""
    return (
        f"{study.job.title} has {study.tally().finished} finished trials of {study.target}, and nobody is at work on "
        f"it any more{last}; the same command goes on with it"
    )


def work(jobs: Sequence[Job], workplace: Workplace, target: Target, device: str) -> None:
    """What a further worker process does on a device: help with each study, in their order."""
    with Tuner(replace(workplace, device=device), target) as tuner:
        for job in jobs:
            with contextlib.suppress(TrainingError):
                tuner.tune(job, wait=False)
