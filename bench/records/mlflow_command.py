"""The run of MLflow that stands for a command: the parent of those that it logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from msgspec import Struct

from bench.plain_text import counted
from bench.records.environment import Environment
from bench.records.mlflow_client import COMMIT, VALUE_LENGTH, log_metrics, metrics_of, milliseconds
from bench.records.record import Record

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIRTY, NOTE = "mlflow.source.git.dirty", "mlflow.note.content"  # the latter is what MLflow calls the description
TAG_LENGTH = 4900  # a limit that old servers have, too
MOST_NAMED = 2  # data sets in a title


class Command(Struct, frozen=True):
    """What logs runs; a parent run in MLflow stands for it.

    Attributes:
        name: "stbench run".
        words: As it was typed, without passwords.
        datasets, methods: Of its plan, if it has one.
    """

    name: str
    words: str = ""
    suite: str = ""
    profile: str = ""
    datasets: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Such as "run short_term quick: bikenyc, 4 methods"."""
        head = " ".join(filter(None, (self.name.removeprefix("stbench "), self.suite, self.profile)))
        few, methods = len(self.datasets) <= MOST_NAMED, len(self.methods)
        names = " and ".join(self.datasets) if few else counted(len(self.datasets), "data set")
        what = self.methods[0] if methods == 1 else counted(methods, "method")
        return f"{head}: {names}, {what}" if self.datasets and methods else head

    @property
    def tags(self) -> dict[str, str]:
        """What its run is found by, and its description."""
        facts = {"suite": self.suite, "profile": self.profile, "dataset": ", ".join(self.datasets)}
        tags = {f"stbench.{key}": value[:VALUE_LENGTH] for key, value in facts.items() if value}
        if self.words:
            tags |= {"stbench.command": self.words[:VALUE_LENGTH], NOTE: f"`{self.words[:TAG_LENGTH]}`"}
        return tags


class CommandRun:
    """The parent run of a command."""

    def __init__(self, client: MlflowClient, mlflow_id: str, lock: FileLock) -> None:
        self._client, self.mlflow_id, self._lock = client, mlflow_id, lock
        self._commit: dict[str, str] = {}

    def log_files(self, files: Iterable[Path]) -> None:
        """Keep files as artefacts, each in a folder of the name that its own has."""
        for file in files:
            self._client.log_artifact(self.mlflow_id, str(file), file.parent.name)

    def note(self, record: Record) -> None:
        """Say of what commit the runs are, as the last of them has it."""
        if (tags := commit_tags(record.environment)) != self._commit:
            self._commit = tags
            for key, value in tags.items():
                self._client.set_tag(self.mlflow_id, key, value)

    def end(self, status: str, counts: Mapping[str, int], at: float | None = None) -> None:
        """Close it at a time, now if none is given; ``counts`` says how many runs ended in what way."""
        metrics = [metric for name, number in counts.items() for metric in metrics_of(name, {0: float(number)})]
        log_metrics(self._client, self.mlflow_id, metrics)
        self._client.set_terminated(self.mlflow_id, status, milliseconds(at))
        self._lock.release()


def commit_tags(environment: Environment) -> dict[str, str]:
    """The project's commit, as MLflow's interface shows it; empty where nobody knows it."""
    commit = environment.commit or ""
    return {COMMIT: commit.removesuffix("+"), DIRTY: str(commit.endswith("+")).lower()} if commit else {}
