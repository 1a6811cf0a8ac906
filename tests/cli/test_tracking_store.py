"""Where a command tracks its runs: nowhere that several machines could break."""

from __future__ import annotations

import pytest

import bench.files
from bench.cli.options import tracking_store


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
    tmp_path, on_nfs, capsys, uri, file
):
    assert tracking_store(uri, tmp_path) == uri
    assert capsys.readouterr().out.startswith(f"{file} lies on nfs4, where a data base of SQLite may break")


@pytest.mark.parametrize("uri", [None, "http://localhost:5000", "postgresql://me:secret@host/runs"])
def test_a_server_or_a_local_folder_is_used_without_a_word(tmp_path, capsys, monkeypatch, uri):
    asked = []
    monkeypatch.setattr(bench.files, "network_file_system", lambda path: asked.append(path))
    assert tracking_store(uri, tmp_path) == (uri or f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert asked == ([] if uri else [tmp_path / "mlflow.db"])
    assert capsys.readouterr().out == ""
