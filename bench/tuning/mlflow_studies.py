"""Studies as MLflow runs: the study is a parent, its trials are its children, in an experiment of their own.

So that the records' experiment is read as fast with ten thousand trials as with none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from filelock import FileLock

from bench.errors import TrackingError
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
from bench.tuning.study import State, Study, TrialFacts

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

EXPERIMENT = "st-vfm-bench-tuning"
KIND, KEY, TRIAL, DIGEST = (
    "stbench.kind",
    "stbench.study_key",
    "stbench.trial",
    "stbench.study_sha256",
)
SETTINGS, TRIALS = "tuned.toml", "trials.json"
ADDRESS = ("dataset", "model", "task", "slug")  # what tells where a study's files are
LOCK_S = 30.0  # another process may be logging the same study
STATUS = {"complete": "FINISHED", "pruned": "FINISHED", "failed": "FAILED", "killed": "KILLED"}


class StudyRuns:
    """The experiment of studies in one tracking store; whatever is in it already is not logged again."""

    def __init__(self, client: MlflowClient, experiment: str, lock: FileLock | None = None) -> None:
        self._client, self._experiment, self._lock = client, experiment, lock

    @classmethod
    def open(cls, uri: str, results: Path, say: Callable[[str], None] = silent) -> StudyRuns:
        """Open it for writing, made where it is missing; ``say`` is told in a sentence what was mended.

        MLflow's own exceptions pass through.
        """
        client, experiment = open_experiment(uri, results, EXPERIMENT, say)
        (results / "locks").mkdir(parents=True, exist_ok=True)
        return cls(client, experiment, FileLock(results / "locks" / "mlflow-studies.lock", timeout=LOCK_S))

    @classmethod
    def open_existing(cls, uri: str) -> StudyRuns | None:
        """Open it for reading; None if nothing was tuned there.

        Raises:
            TrackingError: If there is no such data base; MLflow's own exceptions pass through.
        """
        opened = existing_experiment(uri, EXPERIMENT)
        return None if opened is None else cls(*opened)

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

    def finish(self, study: Study, settings: str, trials: str, files: Iterable[Path] = ()) -> None:
        """Log what is missing of a study, its two files, and that it is the last of its data set, model and task.

        Args:
            study: The study.
            settings: The text of its file of settings.
            trials: The text of its file of trials.
            files: Its ledger and figures, kept as artefacts.
        """
        parent, both = self.log_trials(study), digest(settings, trials)
        if self._client.get_run(parent).data.tags.get(DIGEST) != both:
            self._client.set_tag(parent, DIGEST, "")  # until both files are there
            self._client.log_text(parent, settings, SETTINGS)
            self._client.log_text(parent, trials, TRIALS)
            self._client.log_batch(parent, metrics=_summary(study))
            self._client.set_tag(parent, DIGEST, both)
        for file in files:
            self._client.log_artifact(parent, str(file), file.parent.name)
        self._client.set_tag(parent, LOGGED, str(milliseconds()))
        self._client.set_terminated(parent, "FINISHED", milliseconds(study.ended))

    def finished(self) -> dict[tuple[str, str, str, str], Run]:
        """By data set, model, task and slug of the variant, sorted, the run of the study that was finished last.

        Each is tagged with ``DIGEST``.
        """
        runs = [run for run in self._search(f"tags.`{KIND}` = 'study'") if run.info.status == "FINISHED"]
        last = {
            tuple(run.data.tags.get(f"stbench.{name}", "") for name in ADDRESS): run
            for run in sorted(runs, key=logged_at)
            if run.data.tags.get(DIGEST)
        }
        ordered = sorted(last.items(), key=itemgetter(0))
        return {(dataset, model, task, slug): run for (dataset, model, task, slug), run in ordered}

    def read(self, run: Run) -> tuple[bytes, bytes]:
        """The files of settings and of trials of a finished study.

        Raises:
            TrackingError: If they are not those that were logged.
        """
        settings, trials = (artefact(self._client, run, name) for name in (SETTINGS, TRIALS))
        if digest(settings, trials) != run.data.tags[DIGEST]:
            raise TrackingError(
                f"the files of MLflow run {run.info.run_id} were changed after they were logged; delete that run "
                f"and sync again"
            )
        return settings, trials

    def _parent(self, study: Study) -> str:
        key = hashlib.sha256(f"{study.study} {study.key}".encode()).hexdigest()[:16]
        there = list(self._search(f"tags.`{KIND}` = 'study' and tags.`{KEY}` = '{key}'"))
        if there:
            return str(min(there, key=lambda run: (run.info.start_time, run.info.run_id)).info.run_id)
        tags = {KIND: "study", KEY: key, **_tags(study)}
        name = f"{study.dataset}/{study.name}/{study.task}"
        begun = None if study.started is None else milliseconds(study.started)
        run = self._client.create_run(self._experiment, start_time=begun, run_name=name, tags=tags)
        made = str(run.info.run_id)
        facts = [(f"space.{name}", _space_text(study, name)) for name in study.space]
        self._log(made, facts, [])
        return made

    def _children(self, parent: str) -> set[str]:
        """Numbers of the trials that are there; what a killed process left unfinished is deleted."""
        known = set()
        for run in self._search(f"tags.`{PARENT}` = '{parent}'"):
            if run.info.status == "RUNNING":
                self._client.delete_run(run.info.run_id)
            else:
                known.add(run.data.tags.get(TRIAL, ""))
        return known

    def _log_trial(self, study: Study, parent: str, trial: TrialFacts) -> None:
        facts = {PARENT: parent, KIND: "trial", TRIAL: str(trial.number), "stbench.state": trial.state}
        facts |= {"stbench.default": "true"} if trial.default else {}
        facts |= {"stbench.error": trial.reason} if trial.reason else {}
        began, then = _times(trial)
        run = self._client.create_run(
            self._experiment, start_time=began, run_name=f"trial {trial.number}", tags={**facts, **_tags(study)}
        )
        metrics = [
            *metrics_of("epoch/val_mae", dict(trial.epochs), then),
            *metrics_of("val_mae", {0: trial.value}, then),
            *metrics_of("seconds", {0: trial.seconds}, then),
        ]
        self._log(run.info.run_id, [(name, str(value)) for name, value in trial.params.items()], metrics)
        self._client.set_terminated(run.info.run_id, STATUS[trial.state], then)

    def _log(self, mlflow_id: str, params: Sequence[tuple[str, str]], metrics: Sequence[Metric]) -> None:
        from mlflow.entities import Param

        self._client.log_batch(mlflow_id, params=[Param(name, value[:VALUE_LENGTH]) for name, value in params])
        log_metrics(self._client, mlflow_id, metrics)

    def _search(self, query: str) -> Iterator[Run]:
        return search(self._client, self._experiment, query)


def digest(settings: str | bytes, trials: str | bytes) -> str:
    """The sha256 of both files."""
    both = hashlib.sha256()
    for text in (settings, trials):
        part = text.encode() if isinstance(text, str) else text
        both.update(len(part).to_bytes(8, "big") + part)
    return both.hexdigest()


def _times(trial: TrialFacts) -> tuple[int | None, int | None]:
    """When a trial began and ended, as MLflow counts; of one that was killed nobody knows the end."""
    known = trial.started if trial.ended is None else trial.ended
    began, then = (None if at is None else milliseconds(at) for at in (trial.started, known))
    return began, then


def _tags(study: Study) -> dict[str, str]:
    names = ("study", *ADDRESS, "protocol", "profile", "weights")
    facts = {f"stbench.{name}": str(getattr(study, name)) for name in names}
    return (
        facts
        | source_tags("stbench tune")
        | {
            "stbench.fixed": ", ".join(study.fixed)[:VALUE_LENGTH],
            "stbench.synthetic": json.dumps(study.synthetic),
        }
    )


def _space_text(study: Study, name: str) -> str:
    scale = study.space[name]
    if scale.choices is not None:
        return ", ".join(map(str, scale.choices))
    return f"{scale.low:g} to {scale.high:g}{' (log)' if scale.log else ''}"


def _summary(study: Study) -> list[Metric]:
    values = [trial.value for trial in study.trials if trial.state == "complete" and trial.value is not None]
    default = [trial.value for trial in study.trials if trial.default and trial.value is not None]
    metrics: dict[str, float | None] = {
        "val_mae": min(values, default=None),
        "default_val_mae": default[0] if default else None,
        **{state: study.count(state) for state in get_args(State)},
        "seconds": sum(trial.seconds for trial in study.trials),
    }
    return [metric for name, value in metrics.items() for metric in metrics_of(name, {0: value})]
