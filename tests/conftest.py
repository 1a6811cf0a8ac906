"""Fixtures that several test files share."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is loaded
os.environ.pop("MLFLOW_TRACKING_URI", None)  # a server of the user's is no place for tests

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.register_assert_rewrite(
    "catalogs", "commands", "desk", "elsewhere", "file_server", "projects", "toy_grid"
)  # so that what their checks found is told

from hub import Hub, point_at
from studies import BUDGET
from tiny import make_tiny

from bench.catalog.data import Catalog


@pytest.fixture
def tiny(tmp_path):
    """A data folder with two tiny data sets of the user's own, ``tiny`` and ``tiny2``."""
    return make_tiny(tmp_path)


@pytest.fixture
def catalog(tiny, tmp_path):
    return Catalog(data_dir=tiny, cache=tmp_path / "cache")


@pytest.fixture
def desk(tmp_path):
    from desk import Desk

    return Desk(tmp_path)


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """``stbench data`` in an empty folder, and no data folder named elsewhere."""
    from commands import Shell

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STBENCH_DATA", raising=False)
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def postgres():
    """PostgreSQL on loopback, or a reason why not."""
    from servers import postgres_server

    with postgres_server() as server:
        yield server


@pytest.fixture
def make_job(catalog):
    """Makes the study of a model on ``tiny``, with two short epochs."""
    from bench.runs.plan import Selection, plan
    from bench.runs.suite import load_suite
    from bench.tuning.studies import job

    def make(model="stid", overrides=BUDGET):
        selection = Selection(models=(model,), datasets=("tiny",), overrides=overrides)
        (run,) = plan(load_suite("short_term"), selection, catalog)
        return job(run, overrides)

    return make


@pytest.fixture
def workplace(tiny, tmp_path):
    """Where studies of ``tiny`` are made, in this process."""
    from bench.tuning.search import Workplace

    return Workplace(results=tmp_path, data_dir=tiny, storage=None, device="cpu")


@pytest.fixture(scope="session")
def committed():
    """The reference results of this project."""
    from committed import FOLDER

    from bench.analysis.results import Results

    return Results.load(FOLDER)


@pytest.fixture(scope="session")
def copied_project(tmp_path_factory):
    from projects import Project

    return Project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def project(copied_project, monkeypatch):
    """A copy of the project's packages to edit, whose code is taken for ours."""
    from bench.catalog import registry

    monkeypatch.setattr(registry, "ROOT", copied_project.root)
    monkeypatch.setattr(registry, "_package_folder", lambda package: copied_project.root / package)
    registry._plugins.cache_clear()
    yield copied_project
    copied_project.put_back()
    registry._plugins.cache_clear()


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    """No weights folder, an empty cache, no proxy to loopback, and a hub that nobody has."""
    from huggingface_hub import constants

    from bench.weights import FOLDER_VARIABLE

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    point_at(monkeypatch, "http://127.0.0.1:9")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A weights folder, set and empty."""
    from bench.weights import FOLDER_VARIABLE

    made = tmp_path / "weights"
    made.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(made))
    return made


@pytest.fixture
def hub(no_weights, monkeypatch):
    """A hub on loopback, the only one that can be reached."""
    made = Hub()
    point_at(monkeypatch, made.endpoint)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture
def small_backbones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every architecture 24 wide and three blocks deep, so that its file is small."""
    from dataclasses import replace

    from stvfm import backbones

    tiny = {name: replace(facts, width=24, depth=3, heads=2) for name, facts in backbones.BACKBONES.items()}
    monkeypatch.setattr(backbones, "BACKBONES", tiny)


@pytest.fixture
def small_gpt2(monkeypatch):
    """GPT-2 by its name, but of a size for tests."""
    from baselines import _language
    from baselines._zoo import LANGUAGE_MODELS, LanguageModel

    small = LanguageModel(repository="openai-community/gpt2", licence="mit", width=16, depth=3, heads=2, vocabulary=40)
    monkeypatch.setattr(_language, "LANGUAGE_MODELS", {**LANGUAGE_MODELS, "gpt2": small})


@pytest.fixture
def nothing_is_left_in_the_current_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """MLflow falls back to a data base in the current folder; no test may make it do so."""
    folder = tmp_path_factory.mktemp("current")
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture(scope="session")
def data_base(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An MLflow data base with our experiment and no run; making one takes seconds."""
    from bench.records.mlflow_address import default_uri
    from bench.records.tracking import sync

    folder = tmp_path_factory.mktemp("empty")
    sync([], default_uri(folder), folder)
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture
def results(tmp_path: Path, data_base: bytes) -> Path:
    """A results folder with an MLflow data base that holds no run."""
    folder = tmp_path / "my results"
    folder.mkdir()
    (folder / "mlflow.db").write_bytes(data_base)
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
        artefacts = (folder / "mlartifacts").as_uri()
        connection.execute("update experiments set artifact_location = ? where name = 'st-vfm-bench'", [artefacts])
        connection.commit()
    return folder
