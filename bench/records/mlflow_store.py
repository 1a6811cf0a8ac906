"""Result records as MLflow runs, and back; MLflow is imported when it is opened."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock

from bench.errors import TrackingError, require
from bench.records.record import DoneRun, Epoch, FailedRun, Label, Record, Spec, changes, dump, parse

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

EXPERIMENT = "st-vfm-bench"
ARTEFACT = "record.json"
CURVE = ("lr", "train_loss", "val_mae")
RUN_ID, DIGEST = "stbench.run_id", "stbench.record_sha256"
FILES = re.compile(r"(sqlite(\+\w+)?|file):", re.IGNORECASE)  # addresses without a host
OPEN_S = 60.0  # another process may be creating the data base
VALUE_LENGTH, PARAMS_A_CALL, METRICS_A_CALL, RUNS_A_PAGE = 500, 100, 1000, 1000  # limits that old servers have, too
ENVIRONMENT: Mapping[str, str] = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
}
"""Settings of MLflow where the user has made none: be quiet, and give a dead server up within seconds."""


def default_uri(results: Path) -> str:
    """The tracking store of a results folder."""
    return f"sqlite:///{results.resolve() / 'mlflow.db'}"


def file_of(uri: str) -> Path | None:
    """The file or folder of a store without a server; None of one that has a host."""
    scheme, _, rest = uri.partition(":")
    return Path(rest.removeprefix("//" if scheme.lower() == "file" else "///")) if FILES.match(uri) else None


def shown(uri: str) -> str:
    """The address without user and password, which may themselves hold "/" and "@"; a file's address is as it was."""
    scheme, _, rest = uri.partition("://")
    _, at, host = rest.rpartition("@")
    return f"{scheme}://***@{host}" if at and not FILES.match(uri) else uri


def quiet_environment() -> dict[str, str]:
    """The environment for a process of MLflow: the user's own, completed by ``ENVIRONMENT``."""
    return {**ENVIRONMENT, **os.environ}


class MlflowStore:
    """One experiment in one tracking store."""

    def __init__(self, client: MlflowClient, experiment: str) -> None:
        self._client = client
        self._experiment = experiment

    @classmethod
    def open(cls, uri: str, results: Path) -> MlflowStore:
        """Open the experiment, creating data base and experiment where they are missing.

        Artefacts of a store without a server lie in ``results``. MLflow's own exceptions pass through.
        """
        return cls(*open_experiment(uri, results, EXPERIMENT))

    @classmethod
    def open_existing(cls, uri: str) -> MlflowStore:
        """Open the experiment for reading.

        Raises:
            TrackingError: If there is none; MLflow's own exceptions pass through.
        """
        client = existing(uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            raise TrackingError(f"MLflow at {shown(uri)} has no experiment '{EXPERIMENT}'; run 'stbench sync' first")
        return cls(client, experiment.experiment_id)

    def start(self, run_id: str, spec: Spec, label: Label) -> str:
        """Begin a run, or go on with one that was killed; returns MLflow's id."""
        from mlflow.entities import Param

        query = f"tags.`{RUN_ID}` = '{run_id}' and attributes.status = 'RUNNING'"
        running = self._client.search_runs([self._experiment], query, order_by=["attributes.start_time"], max_results=1)
        name = f"{spec.data.name}/{spec.model}/s{spec.seed}"
        run = (
            running[0]
            if running
            else self._client.create_run(self._experiment, run_name=name, tags=_tags(run_id, spec, label))
        )
        params = [Param(_name(key), str(value)[:VALUE_LENGTH]) for key, value in _flat(msgspec.to_builtins(spec))]
        for start in range(0, len(params), PARAMS_A_CALL):
            self._client.log_batch(run.info.run_id, params=params[start : start + PARAMS_A_CALL])
        return str(run.info.run_id)

    def log_epochs(self, mlflow_id: str, rows: Iterable[Epoch]) -> None:
        """Log rows of a learning curve as metrics ``epoch/<name>``."""
        metrics = [
            metric
            for row in rows
            for name in CURVE
            for metric in metrics_of(f"epoch/{name}", {row.epoch: getattr(row, name)})
        ]
        log_metrics(self._client, mlflow_id, metrics)

    def finish(self, mlflow_id: str, record: Record) -> None:
        """Log whatever of a record MLflow does not have yet, then close the run; the status comes last."""
        text = dump(record).decode()
        if isinstance(record, DoneRun):
            known = self._epochs(mlflow_id) if record.curve else set()
            self.log_epochs(mlflow_id, [row for row in record.curve if row.epoch not in known])
            log_metrics(self._client, mlflow_id, list(_final_metrics(record)))
        self._client.log_text(mlflow_id, text, ARTEFACT)
        if isinstance(record, FailedRun):
            self._client.set_tag(mlflow_id, "stbench.error", record.error.message[:VALUE_LENGTH])
        self._client.set_tag(mlflow_id, DIGEST, digest(text))
        self._client.set_terminated(mlflow_id, "FINISHED" if record.status == "done" else "FAILED")

    def logged(self) -> list[Run]:
        """Every complete run of MLflow, tagged with ``RUN_ID`` and ``DIGEST``, in the order in which they ended."""
        complete = [
            run
            for run in search(self._client, self._experiment)
            if run.info.status in ("FINISHED", "FAILED") and {RUN_ID, DIGEST} <= run.data.tags.keys()
        ]
        return sorted(complete, key=ended)

    def read(self, run: Run) -> Record:
        """The record that a run of MLflow carries.

        Raises:
            TrackingError: If it is not the one that was logged.
            StoreError: If it is no record.
        """
        mlflow_id = run.info.run_id
        text = artefact(self._client, mlflow_id, ARTEFACT)
        if digest(text) != run.data.tags[DIGEST]:
            raise TrackingError(
                f"{ARTEFACT} of MLflow run {mlflow_id} was changed after it was logged; "
                f"delete that MLflow run and repeat 'stbench sync'"
            )
        return parse(text, f"{ARTEFACT} of MLflow run {mlflow_id}")

    def _epochs(self, mlflow_id: str) -> set[int]:
        """The epochs that MLflow has already."""
        return {point.step for point in self._client.get_metric_history(mlflow_id, f"epoch/{CURVE[0]}")}


def open_experiment(uri: str, results: Path, name: str) -> tuple[MlflowClient, str]:
    """A client and the id of an experiment, made where it is missing. MLflow's own exceptions pass through."""
    local = not uri.startswith(("http://", "https://"))
    with _creating(results) if local else nullcontext():
        client = _client(uri)
        experiment = client.get_experiment_by_name(name)
        if experiment is not None:
            return client, str(experiment.experiment_id)
        artefacts = (results.resolve() / "mlartifacts").as_uri() if local else None
        return client, _create_experiment(client, name, artefacts)


def existing(uri: str) -> MlflowClient:
    """A client for reading.

    Raises:
        TrackingError: If there is no such data base.
    """
    path = re.sub(r"^sqlite(\+\w+)?:///", "", uri, flags=re.IGNORECASE)
    if path != uri and not Path(path).exists():
        raise TrackingError(f"there is no MLflow data base {path}; check the address, or run 'stbench sync' first")
    return _client(uri)


def search(client: MlflowClient, experiment: str, query: str = "") -> Iterator[Run]:
    """All runs of an experiment that fit a query, page by page."""
    token = None
    while True:
        page = client.search_runs([experiment], query, max_results=RUNS_A_PAGE, page_token=token)
        yield from page
        if not (token := page.token):
            return


def ended(run: Run) -> tuple[int, str]:
    """Milliseconds since 1970, then the id: to sort runs of MLflow by when they ended."""
    return int(run.info.end_time or 0), str(run.info.run_id)


def artefact(client: MlflowClient, mlflow_id: str, name: str) -> bytes:
    """A file of a run of MLflow."""
    with tempfile.TemporaryDirectory() as folder:
        return Path(client.download_artifacts(mlflow_id, name, folder)).read_bytes()


def metrics_of(name: str, values: Mapping[int, float | None]) -> list[Metric]:
    """One metric of MLflow, from its values by step; None is left out."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, float(value), now, step) for step, value in values.items() if value is not None]


def log_metrics(client: MlflowClient, mlflow_id: str, metrics: Sequence[Metric]) -> None:
    """Log metrics in as few calls as old servers allow."""
    for start in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(mlflow_id, metrics=metrics[start : start + METRICS_A_CALL])


def digest(text: str | bytes) -> str:
    """The sha256 of a record's text."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def _client(uri: str) -> MlflowClient:
    """A client of this address; to MLflow, no address means a data base in the current folder."""
    if not uri.strip():
        raise TrackingError(
            "the address of MLflow is empty; write one, such as sqlite:///results/mlflow.db or http://localhost:5000"
        )
    require("mlflow", "tracking", f"MLflow at {shown(uri)}")
    os.environ.update(quiet_environment())
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _creating(results: Path) -> FileLock:
    """Held while a data base is opened: two processes cannot both create its tables."""
    folder = results / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "mlflow.lock", timeout=OPEN_S)


def _create_experiment(client: MlflowClient, name: str, artefacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name, artifact_location=artefacts))
    except MlflowException:  # someone else was faster
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return str(experiment.experiment_id)


def _tags(run_id: str, spec: Spec, label: Label) -> dict[str, str]:
    facts = {
        "run_id": run_id,
        "dataset": spec.data.name,
        "model": spec.model,
        "task": spec.task.name,
        "protocol": spec.task.protocol,
        "profile": label.profile,
        "changes": ", ".join(changes(label.overrides)),
        "weights": spec.weights,
        "weights_sha256": spec.weights_sha256 or "",
        "synthetic": str(spec.data.synthetic).lower(),
        "external": str(spec.external).lower(),
    }
    return {f"stbench.{key}": str(value)[:VALUE_LENGTH] for key, value in facts.items()}


def _final_metrics(record: DoneRun) -> Iterator[Metric]:
    for split, scores in record.scores.items():
        for name, score in scores.items():
            yield from metrics_of(f"{split}_{name}", {0: score.overall})
            yield from metrics_of(f"{split}_{name}_step", dict(enumerate(score.per_step, start=1)))
    for key, value in (msgspec.structs.asdict(record.cost) if record.cost else {}).items():
        yield from metrics_of(_name(key), {0: value})


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(part, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _name(key: str) -> str:
    """A key that MLflow accepts."""
    return re.sub(r"[^\w.:/ -]", "_", key)[:200]
