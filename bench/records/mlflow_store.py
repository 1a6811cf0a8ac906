"""Result records as MLflow runs, and back; the one place that talks to MLflow, which it imports when it is opened."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from bench.errors import TrackingError
from bench.records.frame import changes
from bench.records.store import Record, dump_record, parse_record

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

EXPERIMENT = "st-vfm-bench"
ARTEFACT = "record.json"
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
"""What MLflow is told, unless the user has told it otherwise: be quiet, and give a dead server up within seconds."""


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A complete run in MLflow.

    Attributes:
        digest: sha256 of its record's text.
        ended: Milliseconds since 1970.
        mlflow_id: MLflow's own id of it.
    """

    run_id: str
    digest: str
    ended: int
    mlflow_id: str


def default_uri(results: Path) -> str:
    """The tracking store of a results folder."""
    return f"sqlite:///{results.resolve() / 'mlflow.db'}"


def shown(uri: str) -> str:
    """The address without user and password, which may themselves hold "/" and "@"; a file's address is as it was."""
    scheme, _, rest = uri.partition("://")
    _, at, place = rest.rpartition("@")
    return f"{scheme}://***@{place}" if at and not FILES.match(uri) else uri


def quiet_environment() -> dict[str, str]:
    """The environment for a process of MLflow: the user's own, with ``ENVIRONMENT`` where it says nothing."""
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
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is None:
            raise TrackingError(f"MLflow at {shown(uri)} has no experiment '{EXPERIMENT}'; run 'stbench sync' first")
        return cls(client, found.experiment_id)

    def start(self, run_id: str, spec: Mapping[str, Any], label: Mapping[str, Any]) -> str:
        """Begin a run, or go on with one that was killed; returns MLflow's id."""
        from mlflow.entities import Param

        query = f"tags.`{RUN_ID}` = '{run_id}' and attributes.status = 'RUNNING'"
        found = self._client.search_runs([self._experiment], query, order_by=["attributes.start_time"], max_results=1)
        name = f"{spec['data']['name']}/{spec['model']}/s{spec['seed']}"
        run = (
            found[0]
            if found
            else self._client.create_run(self._experiment, run_name=name, tags=_tags(run_id, spec, label))
        )
        params = [Param(_name(key), str(value)[:VALUE_LENGTH]) for key, value in _flat(spec)]
        for some in _parts(params, PARAMS_A_CALL):
            self._client.log_batch(run.info.run_id, params=some)
        return str(run.info.run_id)

    def log_epochs(self, mlflow_id: str, rows: Iterable[Mapping[str, float | None]]) -> None:
        """Log rows of a learning curve as metrics ``epoch/<name>``."""
        metrics = [
            metric
            for row in rows
            for key, value in row.items()
            if key != "epoch"
            for metric in _metrics(f"epoch/{key}", {int(row["epoch"] or 0): value})
        ]
        self._log_metrics(mlflow_id, metrics)

    def finish(self, mlflow_id: str, record: Record) -> None:
        """Log whatever of a record MLflow does not have yet, then close the run; the status comes last."""
        text = dump_record(record)
        curve = record.get("curve") or []
        known = self._epochs(mlflow_id, curve)
        self.log_epochs(mlflow_id, [row for row in curve if row["epoch"] not in known])
        self._log_metrics(mlflow_id, list(_final_metrics(record)))
        self._client.log_text(mlflow_id, text, ARTEFACT)
        if record["error"]:
            self._client.set_tag(mlflow_id, "stbench.error", record["error"]["message"][:VALUE_LENGTH])
        self._client.set_tag(mlflow_id, DIGEST, digest(text))
        self._client.set_terminated(mlflow_id, "FINISHED" if record["status"] == "done" else "FAILED")

    def logged(self) -> Iterator[Logged]:
        """Every complete run, in the order in which they ended."""
        complete = []
        for run in self._runs():
            tags = run.data.tags
            if run.info.status in ("FINISHED", "FAILED") and RUN_ID in tags and DIGEST in tags:
                ended, mlflow_id = int(run.info.end_time or 0), str(run.info.run_id)
                complete.append(Logged(run_id=tags[RUN_ID], digest=tags[DIGEST], ended=ended, mlflow_id=mlflow_id))
        yield from sorted(complete, key=lambda run: (run.ended, run.mlflow_id))

    def read(self, run: Logged) -> Record:
        """The record that a run carries.

        Raises:
            TrackingError: If it is not the one that was logged.
            StoreError: If it is no record.
        """
        with tempfile.TemporaryDirectory() as folder:
            text = Path(self._client.download_artifacts(run.mlflow_id, ARTEFACT, folder)).read_bytes()
        if digest(text) != run.digest:
            raise TrackingError(
                f"{ARTEFACT} of MLflow run {run.mlflow_id} was changed after it was logged; "
                f"delete that MLflow run and repeat 'stbench sync'"
            )
        return parse_record(text, f"{ARTEFACT} of MLflow run {run.mlflow_id}")

    def _runs(self) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], max_results=RUNS_A_PAGE, page_token=token)
            yield from page
            if not (token := page.token):
                return

    def _epochs(self, mlflow_id: str, curve: Sequence[Mapping[str, Any]]) -> set[int]:
        """The epochs that MLflow has already."""
        keys = sorted({key for row in curve for key, value in row.items() if key != "epoch" and value is not None})
        return (
            {point.step for point in self._client.get_metric_history(mlflow_id, f"epoch/{keys[0]}")} if keys else set()
        )

    def _log_metrics(self, mlflow_id: str, metrics: Sequence[Metric]) -> None:
        for some in _parts(metrics, METRICS_A_CALL):
            self._client.log_batch(mlflow_id, metrics=some)


def open_experiment(uri: str, results: Path, name: str) -> tuple[MlflowClient, str]:
    """A client and the id of an experiment, made where it is missing. MLflow's own exceptions pass through."""
    local = not uri.startswith(("http://", "https://"))
    with _creating(results) if local else nullcontext():
        client = _client(uri)
        found = client.get_experiment_by_name(name)
        if found is not None:
            return client, str(found.experiment_id)
        place = (results.resolve() / "mlartifacts").as_uri() if local else None
        return client, _create_experiment(client, name, place)


def existing(uri: str) -> MlflowClient:
    """A client for reading.

    Raises:
        TrackingError: If there is no such data base.
    """
    path = re.sub(r"^sqlite(\+\w+)?:///", "", uri, flags=re.IGNORECASE)
    if path != uri and not Path(path).exists():
        raise TrackingError(f"there is no MLflow data base {path}; check the address, or run 'stbench sync' first")
    return _client(uri)


def digest(text: str | bytes) -> str:
    """The sha256 of a record's text."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def _client(uri: str) -> MlflowClient:
    """A client of this address; to MLflow, no address means a data base in the current folder."""
    if not uri.strip():
        raise TrackingError(
            "the address of MLflow is empty; write one, such as sqlite:///results/mlflow.db or http://localhost:5000"
        )
    os.environ.update(quiet_environment())
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


def _creating(results: Path) -> FileLock:
    """Held while a data base is opened: two processes cannot both create its tables."""
    folder = results / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / "mlflow.lock", timeout=OPEN_S)


def _create_experiment(client: MlflowClient, name: str, place: str | None) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(name, artifact_location=place))
    except MlflowException:  # someone else was faster
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return str(found.experiment_id)


def _tags(run_id: str, spec: Mapping[str, Any], label: Mapping[str, Any]) -> dict[str, str]:
    facts = {
        "run_id": run_id,
        "dataset": spec["data"]["name"],
        "model": spec["model"],
        "task": spec["task"]["name"],
        "protocol": spec["task"]["protocol"],
        "profile": label["profile"],
        "changes": ", ".join(changes(label["overrides"])),
        "weights": spec["weights"],
        "stand_in": str(spec["data"]["stand_in"]).lower(),
    }
    return {f"stbench.{key}": str(value)[:VALUE_LENGTH] for key, value in facts.items()}


def _final_metrics(record: Record) -> Iterator[Metric]:
    for split, scores in (record["scores"] or {}).items():
        for name, score in scores.items():
            yield from _metrics(f"{split}_{name}", {0: score["overall"]})
            yield from _metrics(f"{split}_{name}_step", dict(enumerate(score["per_step"], start=1)))
    for key, value in (record["cost"] or {}).items():
        yield from _metrics(_name(key), {0: value if isinstance(value, int | float) else None})


def _metrics(name: str, values: Mapping[int, float | None]) -> list[Metric]:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    return [Metric(name, float(value), now, step) for step, value in values.items() if value is not None]


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(part, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _name(key: str) -> str:
    """A key that MLflow accepts."""
    return re.sub(r"[^\w.:/ -]", "_", key)[:200]


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))
