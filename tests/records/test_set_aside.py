"""Files where records are that are none: they stop nobody, are named, and are lost by nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from records import record
from typer.testing import CliRunner, Result

import bench
from bench.cli.app import app
from bench.errors import StoreError
from bench.records.record import Record, dump
from bench.records.store import ResultStore

GOOD = record(seed=1)
BROKEN: dict[str, Callable[[Path], object]] = {
    "cut off": lambda path: path.write_bytes(dump(record())[:-9]),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b'{"results": {"acc": 0.5}}'),
    "newer": lambda path: path.write_bytes(dump(record()).replace(b'"schema": 4', b'"schema": 5')),
    "a key less": lambda path: path.write_bytes(dump(record()).replace(b'"train"', b'"trial"')),
    "elsewhere": lambda path: path.write_bytes(dump(record(seed=2))),
    "a folder": lambda path: (path.mkdir(), (path / "notes.txt").write_text("mine")),
    "a pipe": lambda path: os.mkfifo(path),
    "a link to nothing": lambda path: path.symlink_to("gone.json"),
}


def address(made: Record) -> tuple[str, str, str]:
    return made.dataset, made.model, made.run_id


@pytest.fixture(params=BROKEN)
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The place of a record that is none, beside a good one."""
    store = ResultStore(tmp_path)
    store.write(GOOD)
    store.write(record())
    path = tmp_path / "runs" / record().dataset / record().model / f"{record().run_id}.json"
    path.unlink()
    BROKEN[request.param](path)
    return path


def test_what_is_no_record_stands_for_no_run_and_is_kept_when_the_run_is_made_again(
    broken: Path, tmp_path: Path
) -> None:
    store, unread = ResultStore(tmp_path), list[StoreError]()
    assert not store.has(*address(record()))
    assert list(store.records(unread.append)) == [GOOD]
    assert next(store.glances(lambda _: None)).run_id == GOOD.run_id
    assert [str(error).startswith(f"{broken} ") for error in unread] == [True]
    assert f"kept in {broken.parent / 'set-aside'}" in (store.trouble(*address(record())) or "")
    there = broken.lstat()
    assert store.write(record())
    assert list(store.records()) == [record(), GOOD] == [store.read(*address(made)) for made in (record(), GOOD)]
    (aside,) = broken.parent.glob("set-aside/*")
    assert (aside.lstat().st_mode, aside.lstat().st_size) == (there.st_mode, there.st_size)
    assert store.trouble(*address(record())) is None


def test_a_failed_record_stands_beside_what_is_no_record(broken: Path, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert store.write(record(failed=True))
    assert store.write(record(failed=True))
    assert [made.status for made in store.records(lambda _: None)] == ["failed", "done"]
    assert os.path.lexists(broken)
    assert store.write(record())
    assert [made.status for made in store.records()] == ["done", "done"]


def test_what_is_no_failed_record_is_kept_too(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(record(failed=True))
    (path,) = tmp_path.glob("runs/*/*/*.failed.json")
    for number, made in enumerate((record(failed=True), record()), start=1):
        path.write_text(f"mine {number}")
        assert store.write(made)
    kept = sorted(path.parent.glob("set-aside/*"))
    assert [file.read_text() for file in kept] == ["mine 1", "mine 2"]
    assert list(store.records()) == [record()]


def test_several_that_are_set_aside_in_turn_are_all_kept(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for text in ("first", "second"):
        store.write(record())
        (path,) = tmp_path.glob("runs/*/*/*.json")
        path.write_text(text)
    store.write(record())
    assert sorted(file.read_text() for file in path.parent.glob("set-aside/*")) == ["first", "second"]


# Commands


def stbench(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for seed in (0, 1):
        ResultStore(tmp_path).write(record(seed=seed))
    path = tmp_path / "runs" / record().dataset / record().model / f"{record().run_id}.json"
    path.write_bytes(dump(record())[:-9])
    (path.parent / "notes.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("tables",),
        ("plots", "seeds"),
        ("report",),
        pytest.param(("sync",), marks=pytest.mark.filterwarnings("ignore")),  # of MLflow's libraries
        ("status", "--model", "stid", "--dataset", "bikenyc"),
        ("run", "--dry-run", "--model", "stid", "--model", "last_value", "--dataset", "bikenyc", "--seed", "9"),
    ],
)
def test_every_command_leaves_out_what_is_no_record_and_names_it(words: tuple[str, ...], results: Path) -> None:
    result = stbench(*words, "--results", results)
    assert result.exit_code == 0, result.output + repr(result.exception)
    assert result.stderr.count("left out: ") == 2
    for name in (f"{record().run_id}.json", "notes.json"):
        assert f"{name} is not a result record (" in result.stderr
    assert {path.name for path in (results / "runs").rglob("*.json")} == {
        "notes.json",
        *(f"{record(seed=seed).run_id}.json" for seed in (0, 1)),
    }


def test_of_many_that_are_no_records_a_few_are_named(results: Path) -> None:
    for number in range(20):
        (results / "runs" / "bikenyc" / "stid" / f"{number}.json").write_text("[]")
    lines = stbench("tables", "--results", results).stderr.splitlines()
    assert len(lines) == 6
    assert lines[-1] == "left out: 17 more files that are no records"


def test_a_script_is_warned_and_may_ask(results: Path) -> None:
    with pytest.warns(UserWarning, match="left out: .* is not a result record") as caught:
        loaded = bench.load_results(results)
    assert len(caught) == len(loaded.unread) == 2
    assert caught[0].filename == __file__
    assert repr(loaded).endswith("; 2 left out that cannot be read)")
