"""Studies as MLflow runs: the study is a parent, its trials are its children, in an experiment of their own.

So that the records' experiment is read as fast with ten thousand trials as with none.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from bench.errors import TrackingError
from bench.records.mlflow_store import METRICS_A_CALL, RUNS_A_PAGE, VALUE_LENGTH, existing, open_experiment
from bench.tuning.study import Study, TrialFacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

EXPERIMENT = "st-vfm-bench-tuning"
PARENT, KIND, KEY, TRIAL, DIGEST = (
    "mlflow.parentRunId",
    "stbench.kind",
    "stbench.study_key",
    "stbench.trial",
    "stbench.study_sha256",
)
SETTINGS, TRIALS = "tuned.toml", "trials.json"
LOCK_S = 30.0  # another process may be logging the same study
STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


@dataclass(frozen=True, kw_only=True)
class Logged:
    """A finished study in MLflow.

    Attributes:
        place: Data set, model and task.
        digest: Of its two files.
    """

    place: tuple[str, str, str]
    digest: str
    mlflow_id: str


class StudyRuns:
    """The experiment of studies in one tracking store; whatever is in it already is not logged again."""

    def __init__(self, client: MlflowClient, experiment: str, lock: FileLock | None = None) -> None:
        self._client, self._experiment, self._lock = client, experiment, lock

    @classmethod
    def open(cls, uri: str, results: Path) -> StudyRuns:
        """Open it for writing, made where it is missing. MLflow's own exceptions pass through."""
        client, experiment = open_experiment(uri, results, EXPERIMENT)
        (results / "locks").mkdir(parents=True, exist_ok=True)
        return cls(client, experiment, FileLock(results / "locks" / "mlflow-studies.lock", timeout=LOCK_S))

    @classmethod
    def open_existing(cls, uri: str) -> StudyRuns | None:
        """Open it for reading; None if nothing was tuned there.

        Raises:
            TrackingError: If there is no such data base; MLflow's own exceptions pass through.
        """
        client = existing(uri)
        found = client.get_experiment_by_name(EXPERIMENT)
        return None if found is None else cls(client, str(found.experiment_id))

    def log_trials(self, study: Study) -> str:
        """Log the trials that MLflow does not have yet; returns MLflow's id of the study."""
        assert self._lock is not None  # noqa: S101 - it was opened for writing
        with self._lock:
            parent = self._parent(study)
            known = self._children(parent)
            for trial in study.trials:
                if str(trial.number) not in known:
                    self._log_trial(study, parent, trial)
            return parent

    def finish(self, study: Study, settings: str, trials: str) -> None:
        """Log what is missing of a study, its two files, and that it is the last of its data set, model and task."""
        parent, both = self.log_trials(study), digest(settings, trials)
        if self._client.get_run(parent).data.tags.get(DIGEST) != both:
            self._client.set_tag(parent, DIGEST, "")  # until both files are there
            self._client.log_text(parent, settings, SETTINGS)
            self._client.log_text(parent, trials, TRIALS)
            self._client.log_batch(parent, metrics=_summary(study))
            self._client.set_tag(parent, DIGEST, both)
        self._client.set_terminated(parent, "FINISHED")

    def finished(self) -> list[Logged]:
        """Of every data set, model and task the study that was finished last."""
        last: dict[tuple[str, str, str], tuple[tuple[int, str], Logged]] = {}
        for run in self._found(f"tags.`{KIND}` = 'study'"):
            tags, mlflow_id = run.data.tags, str(run.info.run_id)
            if run.info.status != "FINISHED" or not tags.get(DIGEST):
                continue
            place = (tags.get("stbench.dataset", ""), tags.get("stbench.model", ""), tags.get("stbench.task", ""))
            order = (int(run.info.end_time or 0), mlflow_id)
            if place not in last or order > last[place][0]:
                last[place] = (order, Logged(place=place, digest=tags[DIGEST], mlflow_id=mlflow_id))
        return [last[place][1] for place in sorted(last)]

    def read(self, study: Logged) -> tuple[bytes, bytes]:
        """The files of settings and of trials.

        Raises:
            TrackingError: If they are not those that were logged.
        """
        with tempfile.TemporaryDirectory() as folder:
            settings, trials = (
                Path(self._client.download_artifacts(study.mlflow_id, name, folder)).read_bytes()
                for name in (SETTINGS, TRIALS)
            )
        if digest(settings, trials) != study.digest:
            raise TrackingError(
                f"the files of MLflow run {study.mlflow_id} were changed after they were logged; delete that run "
                f"and repeat 'stbench sync'"
            )
        return settings, trials

    def _parent(self, study: Study) -> str:
        key = hashlib.sha256(f"{study.study} {study.key}".encode()).hexdigest()[:16]
        found = list(self._found(f"tags.`{KIND}` = 'study' and tags.`{KEY}` = '{key}'"))
        if found:
            return str(min(found, key=lambda run: (run.info.start_time, run.info.run_id)).info.run_id)
        tags = {KIND: "study", KEY: key, **_tags(study)}
        name = f"{study.dataset}/{study.model}/{study.task}"
        made = str(self._client.create_run(self._experiment, run_name=name, tags=tags).info.run_id)
        facts = [(f"space.{name}", _space_text(study, name)) for name in study.space]
        self._log(made, facts, [])
        return made

    def _children(self, parent: str) -> set[str]:
        """Numbers of the trials that are there; what a killed process left unfinished is deleted."""
        known = set()
        for run in self._found(f"tags.`{PARENT}` = '{parent}'"):
            if run.info.status == "RUNNING":
                self._client.delete_run(run.info.run_id)
            else:
                known.add(run.data.tags.get(TRIAL, ""))
        return known

    def _log_trial(self, study: Study, parent: str, trial: TrialFacts) -> None:
        facts = {PARENT: parent, KIND: "trial", TRIAL: str(trial.number), "stbench.state": trial.state}
        facts |= {"stbench.default": "true"} if trial.default else {}
        facts |= {"stbench.error": trial.reason} if trial.reason else {}
        run = self._client.create_run(
            self._experiment, run_name=f"trial {trial.number}", tags={**facts, **_tags(study)}
        )
        metrics = [_metric("epoch/val_mae", value, epoch) for epoch, value in trial.epochs if value is not None]
        metrics += [_metric("val_mae", trial.value)] if trial.value is not None else []
        params = [(name, str(value)) for name, value in trial.params.items()]
        self._log(run.info.run_id, params, [*metrics, _metric("seconds", trial.seconds)])
        self._client.set_terminated(run.info.run_id, STATUS[trial.state])

    def _log(self, mlflow_id: str, params: Sequence[tuple[str, str]], metrics: Sequence[Metric]) -> None:
        from mlflow.entities import Param

        self._client.log_batch(mlflow_id, params=[Param(name, value[:VALUE_LENGTH]) for name, value in params])
        for start in range(0, len(metrics), METRICS_A_CALL):
            self._client.log_batch(mlflow_id, metrics=metrics[start : start + METRICS_A_CALL])

    def _found(self, query: str) -> Iterator[Run]:
        token = None
        while True:
            page = self._client.search_runs([self._experiment], query, max_results=RUNS_A_PAGE, page_token=token)
            yield from page
            if not (token := page.token):
                return


def digest(settings: str | bytes, trials: str | bytes) -> str:
    """The sha256 of both files."""
    found = hashlib.sha256()
    for text in (settings, trials):
        part = text.encode() if isinstance(text, str) else text
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


def _tags(study: Study) -> dict[str, str]:
    names = ("study", "dataset", "model", "task", "protocol", "profile", "weights")
    facts = {f"stbench.{name}": str(getattr(study, name)) for name in names}
    return facts | {
        "stbench.fixed": ", ".join(study.fixed)[:VALUE_LENGTH],
        "stbench.stand_in": json.dumps(study.stand_in),
    }


def _space_text(study: Study, name: str) -> str:
    scale = study.space[name]
    if scale.choices is not None:
        return ", ".join(map(str, scale.choices))
    return f"{scale.low:g} to {scale.high:g}{' (log)' if scale.log else ''}"


def _summary(study: Study) -> list[Metric]:
    values = [trial.value for trial in study.trials if trial.state == "complete" and trial.value is not None]
    default = [trial.value for trial in study.trials if trial.default and trial.value is not None]
    found = [_metric("val_mae", min(values))] if values else []
    found += [_metric("default_val_mae", default[0])] if default else []
    found += [_metric(state, study.count(state)) for state in ("complete", "pruned", "failed", "killed")]
    return [*found, _metric("seconds", sum(trial.seconds for trial in study.trials))]


def _metric(name: str, value: float, step: int = 0) -> Metric:
    from mlflow.entities import Metric

    return Metric(name, float(value), int(time.time() * 1000), step)
