"""Experiments of MLflow that several processes open at once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.records import mlflow_client

SERVER = "http://127.0.0.1:5000"


class Server:
    """A client of a server to which somebody else has written the same tag just before, or which refuses it."""

    def __init__(self, *, others_tag: bool) -> None:
        self.experiment = SimpleNamespace(experiment_id="1", lifecycle_stage="active", tags={})
        self._others_tag = others_tag

    def get_experiment_by_name(self, _: str) -> SimpleNamespace:
        return self.experiment

    def get_experiment(self, _: str) -> SimpleNamespace:
        return self.experiment

    def set_experiment_tag(self, _: str, key: str, value: str) -> None:
        from mlflow.exceptions import MlflowException

        if self._others_tag:
            self.experiment.tags = {key: value}
        raise MlflowException("UNIQUE constraint failed: experiment_tags.key, experiment_tags.experiment_id")


def test_two_results_folders_may_open_a_new_experiment_of_a_server_at_once(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(mlflow_client, "_client", lambda _: Server(others_tag=True))
    _, experiment = mlflow_client.open_experiment(SERVER, tmp_path, "st-vfm-bench")
    assert experiment == "1"


def test_a_server_that_refuses_the_tag_is_not_passed_over(monkeypatch, tmp_path: Path):
    from mlflow.exceptions import MlflowException

    monkeypatch.setattr(mlflow_client, "_client", lambda _: Server(others_tag=False))
    with pytest.raises(MlflowException, match="UNIQUE constraint"):
        mlflow_client.open_experiment(SERVER, tmp_path, "st-vfm-bench")
