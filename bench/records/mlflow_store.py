"""Result records as MLflow runs, and back; MLflow is imported when it is opened."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from filelock import FileLock, Timeout

from bench.errors import TrackingError
from bench.files import is_locked, lasting_name
from bench.records.command import command_of
from bench.records.mlflow_address import shown, sync_command
from bench.records.mlflow_client import (
    LOGGED,
    PARENT,
    VALUE_LENGTH,
    artefact,
    existing_experiment,
    log_metrics,
    logged_at,
    metrics_of,
    milliseconds,
    open_experiment,
    search,
    silent,
    source_tags,
)
from bench.records.mlflow_command import NOTE, TAG_LENGTH, Command, CommandRun, commit_tags
from bench.records.record import DoneRun, Epoch, FailedRun, Record, dump, parse
from bench.records.spec import Label, Spec, changes

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Run

    from bench.types import DataIdentity

EXPERIMENT = "st-vfm-bench"
ARTEFACT = "record.json"
CURVE = ("lr", "train_loss", "val_mae")
RUN_ID, DIGEST, HOME = "stbench.run_id", "stbench.record_sha256", "stbench.home"
KIND, COMMAND = "stbench.kind", "stbench.command_id"
REPRODUCE = "stbench.reproduce"
RUNNING = "attributes.status = 'RUNNING'"
ENDED = ("FINISHED", "FAILED")
SOURCE = "stbench run"  # of every run, whoever logs it
DIGEST_LENGTH = 36  # the longest digest of a data set that MLflow keeps
PARAMS_A_CALL = 100  # a limit that old servers have, too
LOCK_S = 60.0  # another process may be logging a run


class MlflowStore:
    """One experiment in one tracking store.

    Attributes:
        experiment: Its id in MLflow.
    """

    def __init__(self, client: MlflowClient, experiment: str, results: Path | None = None) -> None:
        self._client, self.experiment = client, experiment
        self._locks = None if results is None else results / "locks"
        self._home = "" if self._locks is None else lasting_name(self._locks / "id", self._locks / "id.lock")

    @classmethod
    def open(cls, uri: str, results: Path, say: Callable[[str], None] = silent) -> MlflowStore:
        """Open the experiment, creating data base and experiment where they are missing.

        Artefacts of a store without a server lie in ``results``. ``say`` is told in a sentence what was mended.
        MLflow's own exceptions pass through.
        """
        return cls(*open_experiment(uri, results, EXPERIMENT, say), results)

    @classmethod
    def open_existing(cls, uri: str) -> MlflowStore:
        """Open the experiment for reading.

        Raises:
            TrackingError: If there is none; MLflow's own exceptions pass through.
        """
        opened = existing_experiment(uri, EXPERIMENT)
        if opened is None:
            raise TrackingError(f"MLflow at {shown(uri)} has no experiment '{EXPERIMENT}'; first: {sync_command(uri)}")
        return cls(*opened)

    def begin(self, command: Command, at: float | None = None) -> CommandRun:
        """A parent run for what a command logs since a time, now if none is given; those of killed ones are closed."""
        assert self._locks is not None  # noqa: S101 - it was opened for writing
        with self._alone():
            for run in search(self._client, self.experiment, f"tags.`{KIND}` = 'command' and {RUNNING}"):
                if run.data.tags.get(HOME) == self._home and self._was_killed(run):
                    self._client.set_terminated(run.info.run_id, "KILLED")
            name = uuid.uuid4().hex
            lock = FileLock(self._lock_of(name))
            lock.acquire()
            tags = {**command.tags, KIND: "command", HOME: self._home, COMMAND: name, **source_tags(command.name)}
            run = self._client.create_run(self.experiment, milliseconds(at), tags, command.title)
        return CommandRun(self._client, run.info.run_id, lock)

    def start(
        self, run_id: str, spec: Spec, label: Label, parent: CommandRun | None = None, at: float | None = None
    ) -> str:
        """Begin a run at a time, now if none is given, or go on with one that was killed; returns MLflow's id."""
        with self._alone():
            return self._start(run_id, spec, label, parent, milliseconds(at))

    def log_epochs(self, mlflow_id: str, rows: Iterable[Epoch]) -> None:
        """Log rows of a learning curve as metrics ``epoch/<name>``, unless the run was closed meanwhile."""
        with self._alone():
            if self._is_running(mlflow_id):
                log_metrics(self._client, mlflow_id, _curve(rows))

    def log(
        self, record: Record, parent: CommandRun | None = None, begun: str | None = None, *, own: bool = False
    ) -> bool:
        """Log a record as a closed run; False if MLflow has it already, whoever logged it.

        Args:
            record: The record.
            parent: The run of the command that logs it.
            begun: MLflow's id of the run that was started for it.
            own: Whether it needs a file of the user's own.
        """
        with self._alone():
            query = f"tags.`{RUN_ID}` = '{record.run_id}' and tags.`{DIGEST}` = '{digest(dump(record))}'"
            running = begun if begun is not None and self._is_running(begun) else None
            if any(run.info.status in ENDED for run in search(self._client, self.experiment, query)):
                if running is not None:
                    self._client.delete_run(running)
                return False
            took = record.cost.wall_s if isinstance(record, DoneRun) and record.cost else 0.0
            began = milliseconds(None if record.ended is None else record.ended - took)
            mlflow_id = running or self._start(record.run_id, record.spec, record.label, parent, began)
            self._finish(mlflow_id, record, own=own)
            return True

    def _start(self, run_id: str, spec: Spec, label: Label, parent: CommandRun | None, began: int) -> str:
        from mlflow.entities import Param

        tags = _tags(run_id, spec, label) | {HOME: self._home, **source_tags(SOURCE)}
        tags |= {PARENT: parent.mlflow_id} if parent else {}
        running = search(self._client, self.experiment, f"tags.`{RUN_ID}` = '{run_id}' and {RUNNING}")
        mine = [run for run in running if run.data.tags.get(HOME, self._home) == self._home]
        if mine:
            mlflow_id = str(min(mine, key=lambda run: (run.info.start_time, run.info.run_id)).info.run_id)
            for key, value in tags.items():
                self._client.set_tag(mlflow_id, key, value)
        else:
            name = f"{spec.data.name}/{spec.model}/s{spec.seed}"
            made = self._client.create_run(self.experiment, began, tags, name)
            mlflow_id = str(made.info.run_id)
        params = [Param(_name(key), str(value)[:VALUE_LENGTH]) for key, value in _settings(spec)]
        for start in range(0, len(params), PARAMS_A_CALL):
            self._client.log_batch(mlflow_id, params=params[start : start + PARAMS_A_CALL])
        self._client.log_inputs(mlflow_id, _data_sets(spec, label))
        return mlflow_id

    def _finish(self, mlflow_id: str, record: Record, *, own: bool) -> None:
        """Log whatever of a record MLflow does not have yet, then close the run; the status comes last."""
        text, then = dump(record).decode(), milliseconds(record.ended)
        if isinstance(record, DoneRun):
            known = self._epochs(mlflow_id) if record.curve else set()
            log_metrics(self._client, mlflow_id, _curve((row for row in record.curve if row.epoch not in known), then))
            log_metrics(self._client, mlflow_id, list(_final_metrics(record, then)))
        self._client.log_text(mlflow_id, text, ARTEFACT)
        tags = {"stbench.error": record.error.message[:VALUE_LENGTH]} if isinstance(record, FailedRun) else {}
        if command := command_of(record, own=own)[:TAG_LENGTH]:
            tags |= {REPRODUCE: command, NOTE: f"`{command}`"}
        tags |= commit_tags(record.environment)
        for key, value in {**tags, LOGGED: str(milliseconds()), DIGEST: digest(text)}.items():
            self._client.set_tag(mlflow_id, key, value)
        self._client.set_terminated(mlflow_id, "FINISHED" if record.status == "done" else "FAILED", then)

    def logged(self) -> list[Run]:
        """Every complete run of MLflow, tagged with ``RUN_ID`` and ``DIGEST``, in the order of their logging."""
        complete = [
            run
            for run in search(self._client, self.experiment)
            if run.info.status in ENDED and {RUN_ID, DIGEST} <= run.data.tags.keys()
        ]
        return sorted(complete, key=logged_at)

    def is_empty(self) -> bool:
        """Whether it shows no run at all."""
        return not self._client.search_runs([self.experiment], max_results=1)

    def read(self, run: Run) -> Record:
        """The record that a run of MLflow carries.

        Raises:
            TrackingError: If it is not the one that was logged.
            StoreError: If it is no record.
        """
        mlflow_id = run.info.run_id
        text = artefact(self._client, run, ARTEFACT)
        if digest(text) != run.data.tags[DIGEST]:
            raise TrackingError(
                f"{ARTEFACT} of MLflow run {mlflow_id} was changed after it was logged; "
                f"delete that MLflow run and sync again"
            )
        return parse(text, f"{ARTEFACT} of MLflow run {mlflow_id}")

    def _epochs(self, mlflow_id: str) -> set[int]:
        """The epochs that MLflow has already."""
        return {point.step for point in self._client.get_metric_history(mlflow_id, f"epoch/{CURVE[0]}")}

    def _is_running(self, mlflow_id: str) -> bool:
        run = self._client.get_run(mlflow_id)
        return bool(run.info.status == "RUNNING" and run.info.lifecycle_stage == "active")

    def _was_killed(self, command: Run) -> bool:
        """Whether nothing will close a command's run; one that ends closes it first and gives its lock back then."""
        lock = self._lock_of(command.data.tags.get(COMMAND, ""))
        return not is_locked(lock) and self._is_running(command.info.run_id)

    def _lock_of(self, name: str) -> Path:
        """Held by a command for as long as its process lives."""
        assert self._locks is not None  # noqa: S101 - it was opened for writing
        return self._locks / f"mlflow-command-{name}.lock"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process that shares the results folder begins or closes a run meanwhile."""
        assert self._locks is not None  # noqa: S101 - it was opened for writing
        try:
            with FileLock(self._locks / "mlflow-runs.lock", timeout=LOCK_S):
                yield
        except Timeout as error:
            raise TrackingError(
                f"another process has been writing to MLflow for {LOCK_S:g} s; wait for it, or end it"
            ) from error


def digest(text: str | bytes) -> str:
    """The sha256 of a record's text."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


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
        "suite": label.suite,
        "seed": spec.seed,
        "tuned": str(spec.tuned).lower(),
        "tuned_with": spec.tuned_with,
        "synthetic": str(spec.data.synthetic).lower(),
        "sources": ", ".join(source.name for source in spec.sources),
        "external": str(spec.external).lower(),
    }
    return {f"stbench.{key}": str(value)[:VALUE_LENGTH] for key, value in facts.items() if value != ""}


def _data_sets(spec: Spec, label: Label) -> list[DatasetInput]:
    """The data set of a run, and its sources, as MLflow's interface lists them."""
    used = "train, val, test" if spec.task.fraction else "val, test"
    own = _data_set(spec.data, used, label.city, label.source)
    return [own, *(_data_set(source, "train, val") for source in spec.sources)]


def _data_set(data: DataIdentity, used: str, city: str = "", source: str = "") -> DatasetInput:
    """The digest there has room for a part of the sha256."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    known = {"name": source or data.name, "version": data.version, "sha256": data.sha256}
    profile = {"synthetic": data.synthetic, "city": city, "sha256": data.sha256}
    entity = Dataset(data.name, data.sha256[:DIGEST_LENGTH], "stbench", json.dumps(known), None, json.dumps(profile))
    return DatasetInput(entity, [InputTag("mlflow.data.context", used)])


def _curve(rows: Iterable[Epoch], at: int | None = None) -> list[Metric]:
    return [
        metric
        for row in rows
        for name in CURVE
        for metric in metrics_of(f"epoch/{name}", {row.epoch: getattr(row, name)}, at)
    ]


def _final_metrics(record: DoneRun, at: int) -> Iterator[Metric]:
    for split, scores in record.scores.items():
        for name, score in scores.items():
            yield from metrics_of(f"{split}_{name}", {0: score.overall}, at)
            yield from metrics_of(f"{split}_{name}_step", dict(enumerate(score.per_step, start=1)), at)
    for key, value in (msgspec.structs.asdict(record.cost) if record.cost else {}).items():
        yield from metrics_of(_name(key), {0: value}, at)


def _settings(spec: Spec) -> Iterator[tuple[str, object]]:
    """What was asked, by the names that ``--set`` and trials have: a model's own settings are "model.<name>"."""
    for key, value in _flat(msgspec.to_builtins(spec)):
        yield (f"model.{name}" if (name := key.removeprefix("config.")) != key else key), value


def _flat(value: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _flat(part, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _name(key: str) -> str:
    """A key that MLflow accepts."""
    return re.sub(r"[^\w.:/ -]", "_", key)[:200]
