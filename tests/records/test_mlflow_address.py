"""A path stays a path, whatever signs are in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from records import record

from bench.errors import TrackingError
from bench.records import mlflow_address
from bench.records.mlflow_address import default_uri, file_of, left_to_sync, openable, sqlite_file
from bench.records.tracking import records_from, sync

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_current_folder"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, on its libraries
]
ODD = ["a?b", "a#b", "a%20b", "a%3Fb", "100%", "a?b#c%20d é"]


@pytest.mark.parametrize("name", ODD)
def test_the_address_of_a_folder_names_its_data_base(tmp_path: Path, name: str) -> None:
    file = tmp_path / name / "mlflow.db"
    assert default_uri(tmp_path / name) == f"sqlite:///{file}"
    assert sqlite_file(default_uri(tmp_path / name)) == file


@pytest.mark.parametrize(
    ("uri", "file"),
    [
        ("sqlite:////srv/mlflow.db?timeout=30", "/srv/mlflow.db"),
        ("sqlite+pysqlite:///mlflow.db", "mlflow.db"),
        ("file:///srv/mlruns", "/srv/mlruns"),
        ("http://host:5000/a", None),
        ("postgresql://me:x@host/db", None),
    ],
)
def test_options_are_no_part_of_a_file_and_a_server_has_none(uri: str, file: str | None) -> None:
    assert file_of(uri) == (None if file is None else Path(file))
    assert openable(uri) == uri


def test_two_folders_of_odd_names_have_data_bases_of_their_own(tmp_path: Path, data_base: bytes) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "parent%20").mkdir()
    folders = [tmp_path / "parent%20" / name for name in ("a?b", "a?c#d%20e")]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        (folder / "mlflow.db").write_bytes(data_base)
        sync([record(seed=seed)], default_uri(folder), folder)
    assert [records_from(default_uri(folder)) for folder in folders] == [[record(seed=0)], [record(seed=1)]]
    assert list((tmp_path / "a").iterdir()) == []
    assert {path.name for path in tmp_path.iterdir()} == {"a", "parent%20"}
    assert {path.name for path in (tmp_path / "parent%20").iterdir()} == {"a?b", "a?c#d%20e"}


def test_where_a_folder_has_no_other_name_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_address, "OPEN_FOLDERS", tmp_path / "absent")
    with pytest.raises(TrackingError, match="rename it, or say --no-track"):
        openable(default_uri(tmp_path / "a?b"))


def test_runs_of_before_are_left_to_sync_but_where_all_commands_write(tmp_path: Path) -> None:
    told = left_to_sync("http://me:secret@host:5000", tmp_path, 3)
    assert told == (
        "only runs of this command are written to MLflow; if http://***@host:5000 lacks any of the 3 that were there "
        f"already, this fills it in: stbench sync --results {tmp_path} --tracking-uri 'http://***@host:5000'"
    )
    usual = default_uri(tmp_path)
    assert left_to_sync(usual, tmp_path, 1) is not None
    (tmp_path / "mlflow.db").touch()
    assert [left_to_sync(usual, tmp_path, 1), left_to_sync(None, tmp_path, 3), left_to_sync("x", tmp_path, 0)] == [
        None
    ] * 3
