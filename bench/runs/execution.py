"""Records of runs: what was measured, put together with who made it and where."""

from __future__ import annotations

import os
import re
import subprocess
import time
import traceback
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.catalog import registry
from bench.errors import FULL, NO_SPACE
from bench.records.channels import Channel
from bench.records.environment import Environment
from bench.records.failure_log import traceback_of
from bench.records.planned import PlannedRun
from bench.records.record import (
    SCHEMA,
    Audit,
    Cost,
    Counts,
    DoneRun,
    Epoch,
    FailedRun,
    Failure,
    SplitRanges,
)
from bench.runs.estimate import source_work, work
from bench.runs.own_code import in_the_commit
from bench.runs.printed import OBEYED

if TYPE_CHECKING:
    from bench.context import RunContext
    from bench.metrics import WindowSums
    from bench.records.arrays import ForecastMap
    from bench.runs.evaluator import RunOutcome
    from bench.scoring import CellSums
    from bench.settings import TrainSettings
    from bench.task import Task
    from bench.train import Training
    from bench.types import DatasetCard
    from bench.windows import WindowSet

PAST = re.compile(r"\.past(?:_valid|_clock)?\b")
LONGEST = 1000  # characters of an error's text
LIBRARIES = ("torch", "timm", "open_clip_torch", "transformers", "optuna", "mlflow", "numpy", "pandas")


def done_record(run: PlannedRun, outcome: RunOutcome, environment: Environment) -> DoneRun:
    """The record of a scored run."""
    task, training, evaluation = outcome.task, outcome.training, outcome.evaluation
    windows = task.counts()
    return DoneRun(
        **_common(run),
        scores=evaluation.scores,
        counts=Counts(**windows, test_values=evaluation.test_values),
        cost=Cost(
            parameters=sum(p.numel() for p in outcome.model.parameters()),
            trainable_parameters=sum(p.numel() for p in outcome.model.parameters() if p.requires_grad),
            flops=evaluation.flops,
            ms_per_window=1000 * evaluation.seconds / windows["test"],
            windows_per_s=windows["test"] / evaluation.seconds,
            peak_mb=evaluation.peak_mb,
            train_s=training.seconds,
            wall_s=outcome.seconds,
            epochs=len(training.curve),
            work=_work(task, training, run.spec.train),
        ),
        audit=Audit(
            forecasts=evaluation.audit,
            scaler=task.scaler.name,
            scaler_fitted_on=task.scaler.fitted_on,
            split=SplitRanges(**task.split),
            origins=SplitRanges(**task.first_origins()),
            test_reads=task.test_reads,
            best_epoch=training.best_epoch,
            checkpoint_sha256=evaluation.checkpoint_sha256,
        ),
        windows=evaluation.windows,
        inputs=evaluation.inputs,
        forecast_map=evaluation.forecast_map,
        channels=_channels(task.card),
        curve=[msgspec.convert(row, Epoch) for row in training.curve],
        environment=environment,
    )


def _work(task: Task, training: Training, train: TrainSettings) -> float:
    """Units of work of a run, on its sources and on its own windows."""
    sources = [(source.counts(), source.shape.cells) for source in task.sources]
    own = work(task.counts(), train, len(training.curve) - training.on_sources, task.shape.cells)
    return own + source_work(sources, train, training.on_sources)


def external_record(
    run: PlannedRun,
    task: Task,
    windows: WindowSet,
    sums: WindowSums,
    by_cell: CellSums,
    context: RunContext,
    forecast_map: ForecastMap | None,
) -> DoneRun:
    """The record of forecasts that were made elsewhere, from the sums of their errors on test."""
    from bench.runs.arrays import window_errors
    from bench.train import comparable

    return DoneRun(
        **_common(run),
        scores={"test": sums.scores(pooled=not task.card.units_differ)},
        counts=Counts(**task.counts(), test_values=sums.count),
        cost=None,
        audit=None,
        windows=window_errors(comparable(sums, task), windows, by_cell),
        forecast_map=forecast_map,
        channels=_channels(task.card),
        curve=[],
        environment=environment(context, run),
    )


def _channels(card: DatasetCard) -> list[Channel]:
    return [Channel(name=name, unit=unit) for name, unit in zip(card.channels, card.units, strict=True)]


def failed_record(run: PlannedRun, failure: Failure) -> FailedRun:
    """The record of a run that raised."""
    known = Environment(libraries=libraries(), commit=_commit(run))
    return FailedRun(**_common(run), environment=known, error=failure)


def failure_of(error: BaseException) -> Failure:
    """An error as a record holds it."""
    places = traceback.extract_tb(error.__traceback__)
    name = _plain(type(error).__name__)
    message = _plain(_text_of(error)) or name
    if "NoneType" in message and places and PAST.search(places[-1].line or ""):
        message += "; window.past is None where the model's file does not say DAYS_BACK"
    if isinstance(error, SystemExit):
        code = _plain(repr(error.code))
        message = f"the model, or a library that it uses, called sys.exit({code}); raise an error in its place"
    if isinstance(error, KeyboardInterrupt):
        message = "the model, or a library that it uses, raised KeyboardInterrupt; raise another error in its place"
    where = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    return Failure(type=name, message=message, where=_plain(where), traceback=traceback_of(error))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - a class of the model's own
        return f"its text cannot be had ({type(second).__name__})"


def _plain(text: str) -> str:
    """In one line that any terminal and any file can have, without what a terminal would obey, and not too long."""
    start = OBEYED.sub("", text[: 2 * LONGEST])
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in start).split())
    if len(text) <= LONGEST:
        return line
    return f"{line[:LONGEST]}… ({len(text):,} characters)"


def full_disk(failure: Failure) -> bool:
    """Whether a run failed since there was no space to write to, or none that its user may take."""
    words = (NO_SPACE, *map(os.strerror, FULL), "PytorchStreamWriter failed writing file")
    return any(word in failure.message for word in words)


def _common(run: PlannedRun) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "run_id": run.run_id,
        "code": run.code,
        "role": "naive" if registry.is_naive(run.model) else "model",
        "spec": run.spec,
        "label": run.label,
        "ended": round(time.time(), 3),
    }


def environment(context: RunContext, run: PlannedRun, *, compiled: bool = False) -> Environment:
    """The machine and libraries of a run."""
    machine = context.environment()
    versions = libraries() | {"torch": machine.pop("torch")}  # which build of it, too
    return Environment(**machine, compiled=compiled, libraries=versions, commit=_commit(run))


def libraries() -> dict[str, str]:
    """Versions of the libraries that a result may depend on."""
    return {name: _version(name) for name in LIBRARIES}


@cache
def is_checkout(root: Path) -> bool:
    """Whether a folder is the top of a git checkout; one that lies within another's, as an installed copy may, is not.

    Neither this nor a library's version changes while a command runs: the fork server asks once for all runs.
    """
    try:
        return Path(_git("rev-parse", "--show-toplevel")).resolve() == root.resolve()
    except (OSError, subprocess.SubprocessError):
        return False


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _commit(run: PlannedRun) -> str | None:
    """The project's git commit, with "+" behind it where files differ from it, or code behind the run is not in it.

    None outside a checkout of the project's own.
    """
    if not is_checkout(registry.ROOT):
        return None
    try:
        commit = _git("describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*")
        return commit if commit.endswith("+") or in_the_commit(*run.spec.behind) else f"{commit}+"
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(registry.ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()  # noqa: S603
