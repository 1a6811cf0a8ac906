"""Data bases of MLflow that are half made, of another schema, moved, or not there: mended, or told in a sentence."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from records import record

from bench.errors import TrackingError
from bench.files import sweep
from bench.records import mlflow_database
from bench.records.mlflow_address import default_uri
from bench.records.mlflow_client import open_experiment
from bench.records.mlflow_database import revisions
from bench.records.mlflow_store import EXPERIMENT, MlflowStore
from bench.records.tracking import records_from, sync

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_current_folder"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, on its libraries
]


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as data_base:
        for statement in statements:
            data_base.execute(statement)
        data_base.commit()


def of_revision(file: Path, revision: str) -> None:
    """MLflow itself would change the schema of a data base that lacks a table."""
    change(file, "drop table secrets", f"update alembic_version set version_num = '{revision}'")  # noqa: S608


def half_made(file: Path) -> None:
    of_revision(file, revisions()[20])


def without_a_schema(file: Path) -> None:
    change(file, "drop table alembic_version", "drop table runs")


@pytest.mark.parametrize("spoil", [half_made, without_a_schema])
def test_a_half_made_data_base_of_the_results_folder_is_set_aside_and_named(
    results: Path, data_base: bytes, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_database, "_make", lambda file: file.write_bytes(data_base))  # takes seconds
    (results / "mlflow.half-made.db").write_bytes(b"an earlier one")
    spoil(results / "mlflow.db")
    before, told = (results / "mlflow.db").read_bytes(), list[str]()
    assert sync([record()], default_uri(results), results, say=told.append) == (1, 0)
    assert records_from(default_uri(results)) == [record()]
    assert "mlflow.half-made1.db" in told[0]
    assert (results / "mlflow.half-made1.db").read_bytes() == before
    assert (results / "mlflow.half-made.db").read_bytes() == b"an earlier one"


def test_a_half_made_data_base_elsewhere_is_left_alone_and_the_remedy_is_told(results: Path, tmp_path: Path) -> None:
    half_made(results / "mlflow.db")
    before = (results / "mlflow.db").read_bytes()
    for act in (
        lambda: sync([record()], default_uri(results), tmp_path / "others"),
        lambda: records_from(default_uri(results)),
    ):
        with pytest.raises(
            TrackingError,
            match=r"is half made and holds no run; delete it: .* by stbench sync --results",
        ):
            act()
    assert (results / "mlflow.db").read_bytes() == before


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [
        (
            None,
            r"older MLflow than \d.*keep a copy of it, then: cd '.*my results'; mlflow db upgrade sqlite:///mlflow.db",
        ),
        (
            "0123456789ab",
            r"newer MLflow than \d.*--upgrade mlflow, or move it away: .* by stbench sync --results '.*my results'$",
        ),
    ],
)
def test_a_data_base_of_another_schema_is_not_touched_and_the_remedy_is_told(
    results: Path, revision: str | None, remedy: str
) -> None:
    sync([record()], default_uri(results), results)
    of_revision(results / "mlflow.db", revision or revisions()[1])
    before = (results / "mlflow.db").read_bytes()
    for act in (
        lambda: sync([record()], default_uri(results), results),
        lambda: records_from(default_uri(results)),
    ):
        with pytest.raises(TrackingError, match=remedy):
            act()
    assert (results / "mlflow.db").read_bytes() == before


def test_a_data_base_that_holds_runs_is_never_set_aside(results: Path) -> None:
    sync([record()], default_uri(results), results)
    change(results / "mlflow.db", "drop table alembic_version")
    with pytest.raises(TrackingError, match="does not say its schema; move it away"):
        sync([record()], default_uri(results), results)
    assert [path.name for path in results.glob("*half-made*")] == []


def test_a_process_that_ends_while_it_makes_a_data_base_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(address: str) -> str:
        part = Path(address.removeprefix("sqlite:///"))
        part.write_bytes(b"half of it")
        part.with_name(f"{part.name}-journal").write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(mlflow_database, "openable", die)
    with pytest.raises(KeyboardInterrupt):
        sync([record()], default_uri(tmp_path), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_what_a_killed_process_left_of_a_data_base_is_swept_with_its_journal(tmp_path: Path) -> None:
    for name in (".0.tmp", ".0.tmp-journal", "kept.tmp-journal"):
        (tmp_path / name).write_bytes(b"")
    sweep([tmp_path])
    assert [path.name for path in tmp_path.iterdir()] == ["kept.tmp-journal"]


@pytest.mark.parametrize("act", [shutil.move, shutil.copytree], ids=["moved", "copied"])
def test_a_results_folder_that_was_moved_or_copied_keeps_its_artefacts(
    results: Path, tmp_path: Path, act: Callable[[Path, Path], object]
) -> None:
    sync([record(seed=0)], default_uri(results), results)
    there = tmp_path / "other%20"
    act(results, there)
    (results / "mlartifacts").rename(tmp_path / "away") if results.exists() else None
    assert records_from(default_uri(there)) == [record(seed=0)]
    told = list[str]()
    assert sync([record(seed=0), record(seed=1)], default_uri(there), there, say=told.append) == (1, 1)
    assert sync([], default_uri(there), there, say=told.append) == (0, 0)
    assert len(told) == 1
    assert len(list((there / "mlartifacts").glob("*/artifacts/record.json"))) == 2
    assert not (results / "mlartifacts").exists()
    with closing(sqlite3.connect(there / "mlflow.db")) as data_base:
        places = [place for (place,) in data_base.execute("select artifact_uri from runs")]
    assert [place.startswith(f"{(there / 'mlartifacts').as_uri()}/") for place in places] == [True, True]


def test_a_deleted_experiment_is_restored_by_who_writes_and_told_to_who_reads(results: Path) -> None:
    uri = default_uri(results)
    sync([record(seed=0)], uri, results)
    client, experiment = open_experiment(uri, results, EXPERIMENT)
    client.delete_experiment(experiment)
    with pytest.raises(
        TrackingError,
        match=r"was deleted; what restores it is stbench sync --results '.*', or mlflow experiments",
    ):
        records_from(uri)
    told = list[str]()
    assert sync([record(seed=0), record(seed=1)], uri, results, say=told.append) == (1, 1)
    assert ["had been deleted in MLflow; it is restored" in sentence for sentence in told] == [True]
    assert len(records_from(uri)) == 2


def test_an_experiment_is_of_model_training_unless_its_user_made_it_another(results: Path) -> None:
    client, experiment = open_experiment(default_uri(results), results, EXPERIMENT)
    assert client.get_experiment(experiment).tags["mlflow.experimentKind"] == "custom_model_development"
    client.set_experiment_tag(experiment, "mlflow.experimentKind", "forecasting")
    MlflowStore.open(default_uri(results), results)
    assert client.get_experiment(experiment).tags["mlflow.experimentKind"] == "forecasting"
