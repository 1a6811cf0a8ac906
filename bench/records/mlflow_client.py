"""What records and studies ask of MLflow alike: an experiment, opened or made, its runs, metrics and artefacts."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from bench.errors import TrackingError, require
from bench.records.mlflow_address import (
    FILES,
    check_form,
    default_file,
    openable,
    quiet_environment,
    shown,
    sqlite_file,
    sync_command,
)
from bench.records.mlflow_database import ARTEFACTS, check, other_schema, path_of, prepare

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Metric, Run

KIND_OF_EXPERIMENT, TRAINING = "mlflow.experimentKind", "custom_model_development"  # how MLflow's interface shows it
PARENT, COMMIT, LOGGED = "mlflow.parentRunId", "mlflow.source.git.commit", "stbench.logged_ms"
OPEN_S = 180.0  # another process may be creating the data base, on a busy machine
VALUE_LENGTH, METRICS_A_CALL, RUNS_A_PAGE = 500, 1000, 1000  # limits that old servers have, too
OTHER_SCHEMA = re.compile(
    r"out-of-date database schema \(found version (\w+)|Can't locate revision identified by '(\w+)'"
)


def silent(_: str) -> None:
    """For a caller who is told nothing."""


def open_experiment(
    uri: str, results: Path, name: str, say: Callable[[str], None] = silent
) -> tuple[MlflowClient, str]:
    """A client and the id of an experiment, made where it is missing, and restored where it was deleted.

    ``say`` is told in a sentence what was mended. MLflow's own exceptions pass through.

    Raises:
        TrackingError: If MLflow is not there or the data base cannot be used.
    """
    _ready(uri)
    file, local = sqlite_file(uri), FILES.match(uri)
    own = file is not None and file.absolute() == default_file(results).absolute()
    with _opening(results, None if own else file) if local else nullcontext():
        if file is not None:
            prepare(file, own=own, say=say)
        client = _client(uri)
        artefacts = (results.resolve() / ARTEFACTS).as_uri() if local else None
        experiment = client.get_experiment_by_name(name) or _created(client, name, artefacts)
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
            say(f"the experiment '{name}' had been deleted in MLflow; it is restored, with the runs that it had")
        if KIND_OF_EXPERIMENT not in experiment.tags:
            _say_training(client, experiment.experiment_id)
        return client, str(experiment.experiment_id)


def existing_experiment(uri: str, name: str) -> tuple[MlflowClient, str] | None:
    """A client for reading and the id of an experiment; None if there is none. MLflow's own exceptions pass through.

    Raises:
        TrackingError: If there is no such data base, it cannot be used, or the experiment was deleted.
    """
    _ready(uri)
    if (file := sqlite_file(uri)) is not None:
        if not file.exists():
            raise TrackingError(
                f"there is no MLflow data base {file}; check the address, or first: {sync_command(uri)}"
            )
        check(file)
    client = _client(uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the experiment '{name}' of MLflow at {shown(uri)} was deleted; what restores it is {sync_command(uri)}, "
            f"or mlflow experiments restore --experiment-id {experiment.experiment_id}"
        )
    return None if experiment is None else (client, str(experiment.experiment_id))


def search(client: MlflowClient, experiment: str, query: str = "") -> Iterator[Run]:
    """All runs of an experiment that fit a query, page by page."""
    token = None
    while True:
        page = client.search_runs([experiment], query, max_results=RUNS_A_PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return


def logged_at(run: Run) -> tuple[int, str]:
    """Milliseconds since 1970, then the id: to sort runs of MLflow by when they were logged, whenever they ended."""
    return int(run.data.tags.get(LOGGED) or run.info.end_time or 0), str(run.info.run_id)


def milliseconds(seconds: float | None = None) -> int:
    """As MLflow counts time, since 1970; now if no time is given."""
    return int((time.time() if seconds is None else seconds) * 1000)


def source_tags(name: str) -> dict[str, str]:
    """Who logs a run, and with what command, as MLflow's interface shows it."""
    tags = {"mlflow.source.name": name, "mlflow.source.type": "LOCAL"}
    with suppress(KeyError, OSError, ImportError):  # a user without a name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def artefact(client: MlflowClient, run: Run, name: str) -> bytes:
    """A file of a run of MLflow; of a folder that was moved, the file beside its data base."""
    there, data_base = path_of(run.info.artifact_uri), sqlite_file(client.tracking_uri)
    if data_base is not None and there is not None and ARTEFACTS in there.parts:
        parts = there.parts[len(there.parts) - there.parts[::-1].index(ARTEFACTS) :]
        if (beside := data_base.parent.joinpath(ARTEFACTS, *parts, name)).exists():
            return beside.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(run.info.run_id, name, folder)).read_bytes()


def metrics_of(name: str, values: Mapping[int, float | None], at: int | None = None) -> list[Metric]:
    """One metric of MLflow, from its values by step; None is left out.

    Args:
        name: Of the metric.
        values: By step.
        at: When they were measured, as ``milliseconds`` has it; now if it is None.
    """
    from mlflow.entities import Metric

    then = milliseconds() if at is None else at
    return [Metric(name, float(value), then, step) for step, value in values.items() if value is not None]


def log_metrics(client: MlflowClient, mlflow_id: str, metrics: Sequence[Metric]) -> None:
    """Log metrics in as few calls as old servers allow."""
    for start in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(mlflow_id, metrics=metrics[start : start + METRICS_A_CALL])


def schema_problem(uri: str, error: Exception) -> TrackingError | None:
    """What to do if an error of MLflow says that a data base is of another schema; None if it does not."""
    found = OTHER_SCHEMA.search(str(error))
    return other_schema(uri, found[1] or found[2], f"mlflow db upgrade '{shown(uri)}'") if found else None


def _ready(uri: str) -> None:
    """Refuse what is no address, such as none, which to MLflow is a data base in this folder, and make MLflow quiet."""
    check_form(uri)
    require("mlflow", "tracking", f"MLflow at {shown(uri)}")
    os.environ.update(quiet_environment())
    import mlflow  # noqa: F401 - it takes seconds, for which no lock shall be held


def _client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=openable(uri))


@contextmanager
def _opening(results: Path, other: Path | None) -> Iterator[None]:
    """While a data base is opened: two processes cannot both create its tables.

    Args:
        results: The results folder.
        other: A data base that other results folders may share.
    """
    lock = results / "locks" / "mlflow.lock" if other is None else other.with_name(f".{other.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=OPEN_S):
            yield
    except Timeout as error:
        raise TrackingError(
            f"another process has been opening MLflow's data base for {OPEN_S:g} s; wait for it, or end it"
        ) from error


def _created(client: MlflowClient, name: str, artefacts: str | None) -> Experiment:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(client.create_experiment(name, artifact_location=artefacts))
    except MlflowException:  # someone else was faster
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return experiment


def _say_training(client: MlflowClient, experiment: str) -> None:
    """Let MLflow's interface show an experiment as model training."""
    from mlflow.exceptions import MlflowException

    try:
        client.set_experiment_tag(experiment, KIND_OF_EXPERIMENT, TRAINING)
    except MlflowException:  # someone else was faster
        if KIND_OF_EXPERIMENT not in client.get_experiment(experiment).tags:
            raise
