"""Runs reach MLflow by a process beside them, which costs them nothing and says what is wrong."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Literal

import pytest
from records import record
from tracked import follow, plan_of

from bench.records import tracking_process
from bench.records.command import command_of
from bench.records.mlflow_address import default_uri, shown, sync_command
from bench.records.mlflow_store import MlflowStore
from bench.records.tracking import records_from
from bench.records.tracking_process import TrackerBeside

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries


@pytest.fixture
def warnings() -> list[str]:
    return []


def test_what_a_process_was_told_is_in_mlflow_when_it_is_closed(tmp_path: Path, warnings: list[str]) -> None:
    made = [record(seed=0), record(seed=1, failed=True)]
    with TrackerBeside(default_uri(tmp_path), tmp_path, warn=warnings.append) as tracker:
        for one in made:
            follow(tracker, one)
    assert {text for text in warnings if "still writing" not in text} == set()
    found = records_from(default_uri(tmp_path))
    assert sorted(found, key=lambda one: one.seed) == made


def test_the_command_of_a_run_with_a_file_of_ones_own_has_a_place_for_it_there(
    tmp_path: Path, warnings: list[str]
) -> None:
    made, uri = [record(model="mynet"), record()], default_uri(tmp_path)
    with TrackerBeside(uri, tmp_path, warn=warnings.append, own=lambda one: one.model == "mynet") as tracker:
        for one in made:
            follow(tracker, one)
    store = MlflowStore.open_existing(uri)
    tags = {run.data.tags["stbench.run_id"]: run.data.tags["stbench.reproduce"] for run in store.logged()}
    assert tags == {made[0].run_id: command_of(made[0], own=True), made[1].run_id: command_of(made[1])}


def test_two_runs_that_are_under_way_at_once_keep_their_epochs(tmp_path: Path, warnings: list[str]) -> None:
    sent: list[object] = []
    tracker = TrackerBeside(default_uri(tmp_path), tmp_path, warn=warnings.append)
    tracker._send = sent.append  # type: ignore[method-assign]
    one, other = record(seed=0), record(seed=1)
    tracker.run_started(plan_of(one))
    tracker.run_started(plan_of(other))
    tracker.epoch(plan_of(other), {"epoch": 1})
    assert sent[-1] == tracking_process.Ended(run_id=other.run_id, row={"epoch": 1})


def test_a_tracker_that_has_nothing_to_say_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setattr(tracking_process.subprocess, "Popen", lambda *_, **__: pytest.fail("a process"))
    with TrackerBeside(default_uri(tmp_path), tmp_path, warn=warnings.append) as tracker:
        tracker.run_skipped(plan_of(record()), "stored")
    assert (warnings, list(tmp_path.iterdir())) == ([], [])


def test_what_does_not_work_there_is_said_here_once(tmp_path: Path, warnings: list[str]) -> None:
    with TrackerBeside(" ", tmp_path, warn=warnings.append) as tracker:
        for seed in (0, 1):
            follow(tracker, record(seed=seed))
    (warning,) = (text for text in warnings if "still writing" not in text)
    assert "the address of MLflow is empty" in warning
    assert "stbench sync" in warning


def test_a_process_that_dies_stops_no_run_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    monkeypatch.setattr(tracking_process, "sys", SimpleNamespace(executable="false"))
    with TrackerBeside(default_uri(tmp_path), tmp_path, warn=warnings.append) as tracker:
        for seed in range(50):  # more than a pipe holds
            follow(tracker, record(seed=seed))
    (warning,) = warnings
    assert "stbench sync" in warning


@pytest.mark.parametrize(("ended", "rest"), [("FINISHED", "; everything else is done"), ("KILLED", "")])
def test_a_process_that_takes_nothing_stops_no_run_and_is_ended(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    warnings: list[str],
    ended: Literal["FINISHED", "KILLED"],
    rest: str,
) -> None:
    deaf = tmp_path / "deaf"
    deaf.write_text("#!/bin/sh\nexec sleep 1000\n")
    deaf.chmod(0o700)
    monkeypatch.setattr(tracking_process, "sys", SimpleNamespace(executable=str(deaf)))
    for name in ("SOON_S", "CLOSE_S"):
        monkeypatch.setattr(tracking_process, name, 0.1)
    tracker = TrackerBeside(default_uri(tmp_path), tmp_path, warn=warnings.append)
    for seed in range(50):  # more than a pipe holds
        follow(tracker, record(seed=seed))
    process = tracker._process
    tracker.close(ended)
    assert process is not None
    assert process.returncode == -9
    waiting, remedy = warnings
    assert waiting == f"still writing the runs to MLflow, {shown(default_uri(tmp_path))}{rest}"
    assert "stbench sync" in remedy


def test_what_fills_in_is_told_once_where_the_process_has_said_it_before_it_was_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    says = tmp_path / "says"
    fills_in = sync_command(default_uri(tmp_path), tmp_path)
    too_slow = f"it is too slow; '{fills_in}' fills in what is missing"
    says.write_text(f'#!/bin/sh\ncat > /dev/null  # until the end is told\necho "{too_slow}"\nexec sleep 1000\n')
    says.chmod(0o700)
    monkeypatch.setattr(tracking_process, "sys", SimpleNamespace(executable=str(says)))
    monkeypatch.setattr(tracking_process, "SOON_S", 2.0)
    monkeypatch.setattr(tracking_process, "CLOSE_S", 0.1)
    with TrackerBeside(default_uri(tmp_path), tmp_path, warn=warnings.append) as tracker:
        follow(tracker, record())
    assert [text.partition(";")[0] for text in warnings if "still writing" not in text] == ["it is too slow"]


def test_what_did_not_work_while_runs_were_made_is_said_again_at_the_end_in_place_of_all_being_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    says, told = tmp_path / "says", threading.Event()
    fills_in = sync_command(default_uri(tmp_path), tmp_path)
    says.write_text(f'#!/bin/sh\necho "nothing answers; {fills_in}"\nexec sleep 1000\n')
    says.chmod(0o700)
    monkeypatch.setattr(tracking_process, "sys", SimpleNamespace(executable=str(says)))
    for name in ("SOON_S", "CLOSE_S"):
        monkeypatch.setattr(tracking_process, name, 0.1)

    def warn(text: str) -> None:
        warnings.append(text)
        told.set()

    with TrackerBeside(default_uri(tmp_path), tmp_path, warn=warn) as tracker:
        follow(tracker, record())
        assert told.wait(30)
    assert warnings[1:] == [f"not all of it is in MLflow; this fills in what is missing there: {fills_in}"]
