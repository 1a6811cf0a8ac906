"""Where a command tracks its runs: nowhere that several machines could break."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from records import record
from typer.testing import CliRunner

import bench.files
from bench.cli.app import app
from bench.cli.options import tracking_store
from bench.cli.run import _tracker
from bench.cli.terminal import Console
from bench.errors import TrackingError
from bench.records import tracking, tracking_process
from bench.records.store import ResultStore
from bench.tuning import tracking as study_tracking


@pytest.fixture
def on_nfs(monkeypatch):
    monkeypatch.setattr(bench.files, "network_file_system", lambda path: "nfs4")


def test_runs_in_a_folder_on_a_network_file_system_are_not_tracked_and_one_line_says_so(tmp_path, on_nfs, capsys):
    assert tracking_store(None, tmp_path) is None
    told = capsys.readouterr().out
    assert told.startswith(f"not tracked: {tmp_path} lies on nfs4")
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("uri", "file"),
    [("sqlite:////home/ann/mlflow.db", "/home/ann/mlflow.db"), ("file:///home/ann/mlruns", "/home/ann/mlruns")],
)
def test_a_data_base_on_a_network_file_system_is_used_where_it_was_asked_for_and_one_line_says_so(
    tmp_path, on_nfs, capsys, monkeypatch, uri, file
):
    assert tracking_store(uri, tmp_path) == uri
    assert capsys.readouterr().out.startswith(f"{file} lies on nfs4, where a data base of SQLite may break")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_store(None, tmp_path) == uri
    assert capsys.readouterr().out.splitlines()[1].startswith(f"{file} lies on nfs4, where a data base of SQLite")


@pytest.mark.parametrize("uri", [None, "http://localhost:5000", "postgresql://me:secret@host/runs"])
def test_a_server_or_a_local_folder_is_used_without_a_word(tmp_path, capsys, monkeypatch, uri):
    asked = []
    monkeypatch.setattr(bench.files, "network_file_system", lambda path: asked.append(path))
    assert tracking_store(uri, tmp_path) == (uri or f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert asked == ([] if uri else [tmp_path / "mlflow.db"])
    assert capsys.readouterr().out == ""


def test_the_address_in_the_environment_is_used_where_none_is_given_and_one_line_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host:5000")
    assert tracking_store(None, tmp_path) == "http://me:secret@host:5000"
    assert capsys.readouterr().out == "tracked at http://***@host:5000, as $MLFLOW_TRACKING_URI says\n"
    assert tracking_store("http://other:5000", tmp_path) == "http://other:5000"
    assert tracking_store(None, tmp_path, track=False) is None
    assert capsys.readouterr().out == ""


def test_an_odd_address_is_refused_before_any_run_wherever_it_comes_from(tmp_path, monkeypatch):
    with pytest.raises(TrackingError, match=r"did you mean http://127.0.0.1:5000\?"):
        tracking_store("127.0.0.1:5000", tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "banana")
    with pytest.raises(TrackingError, match=r"'banana' \(\$MLFLOW_TRACKING_URI\) is no address of MLflow"):
        tracking_store(None, tmp_path)


def test_an_address_that_is_none_is_not_said_to_be_tracked_to(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "127.0.0.1:5417")
    with pytest.raises(TrackingError, match="is no address"):
        tracking_store(None, tmp_path)
    assert capsys.readouterr().out == ""


def test_sync_takes_the_address_in_the_environment_too(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    monkeypatch.setattr(tracking, "sync", lambda _, uri, *rest, **options: asked.append(uri) or (0, 0))
    assert CliRunner().invoke(app, ["sync", "--results", str(tmp_path)]).exit_code == 0
    assert asked == ["http://host:5000"]


def test_the_tables_that_sync_keeps_are_those_of_the_records_as_they_are_then(tmp_path, monkeypatch):
    ResultStore(tmp_path).write(record())
    old = tmp_path / "tables" / "short_term.md"
    old.parent.mkdir()
    old.write_text("before a run was added", encoding="utf-8")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "pareto.png").touch()  # of before, too, and nobody draws it now
    kept = []
    monkeypatch.setattr(tracking, "sync", lambda *_, files, **__: kept.extend(files) or (1, 0))
    assert CliRunner().invoke(app, ["sync", "--results", str(tmp_path)]).exit_code == 0
    assert old in kept
    assert "1.25" in old.read_text(encoding="utf-8")
    assert not any(path.name == "pareto.png" for path in kept)


def test_what_hinders_tables_hinders_nothing_else_of_a_sync(tmp_path, monkeypatch):
    ResultStore(tmp_path).write(record())
    broken = tmp_path / "tuned" / "bikenyc" / "stid.toml"
    broken.parent.mkdir(parents=True)
    broken.write_text("no [ TOML", encoding="utf-8")
    monkeypatch.setattr(tracking, "sync", lambda *_, files, **__: (1, len(list(files))))
    monkeypatch.setattr(study_tracking, "sync_studies", lambda *_, **__: (2, 0))
    answer = CliRunner().invoke(app, ["sync", "--results", str(tmp_path)])
    assert answer.exit_code == 0
    assert "without tables and figures: " in answer.output
    assert "1 run added, 0 were there" in answer.output
    assert "2 studies of tuning added" in answer.output


@pytest.mark.parametrize("command", ["run", "sync"])
def test_what_is_tracked_is_told_which_runs_need_a_file_of_ones_own(tmp_path, monkeypatch, command):
    asked = []
    if command == "sync":
        monkeypatch.setattr(tracking, "sync", lambda *_, own, **__: asked.append(own) or (0, 0))
        assert CliRunner().invoke(app, ["sync", "--results", str(tmp_path)]).exit_code == 0
    else:
        beside = lambda *_, own, **__: asked.append(own) or nullcontext()  # noqa: E731 - in place of a class
        monkeypatch.setattr(tracking_process, "TrackerBeside", beside)
        options = SimpleNamespace(profile="quick", results=tmp_path)
        with _tracker(Console(), "sqlite:///x.db", options, SimpleNamespace(name=""), []):
            pass
    assert [(own(record()), own(record(model="mynet"))) for own in asked] == [(False, True)]
