"""Runs in MLflow as its users expect them: below a run of their command, with data set, source, user and true times."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from records import record
from tracked import follow, plan_of

from bench.files import is_locked
from bench.records.command import command_of
from bench.records.mlflow_address import default_uri
from bench.records.mlflow_command import Command
from bench.records.mlflow_store import MlflowStore
from bench.records.record import Record
from bench.records.tracking import Tracker, records_from, sync

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_current_folder"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, on its libraries
]
RUN = Command(name="stbench run", words="stbench run --all", suite="short_term", profile="paper")
ENDED = 1_700_000_000.25


def made(**facts: Any) -> Record:
    """A record whose end, commit and suite are known."""
    one: Record = record(**facts)
    label = msgspec.structs.replace(one.label, suite="short_term", source="Citi Bike")
    environment = msgspec.structs.replace(one.environment, commit="0123456789ab+")
    return msgspec.structs.replace(one, ended=ENDED, label=label, environment=environment)


def runs_of(results: Path) -> tuple[list[Any], list[Any]]:
    """Runs of commands, and those below them."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=default_uri(results))
    runs = list(client.search_runs([client.get_experiment_by_name("st-vfm-bench").experiment_id]))
    parents = [run for run in runs if run.data.tags.get("stbench.kind") == "command"]
    return parents, [run for run in runs if run not in parents]


def a_table(results: Path) -> Path:
    file = results / "tables" / "ranks.md"
    file.parent.mkdir()
    file.write_text("a table", encoding="utf-8")
    return file


def test_a_command_is_a_parent_with_its_tables_and_what_it_ran_are_its_children(results: Path) -> None:
    one, other = made(seed=0), made(seed=1, failed=True)
    with Tracker(default_uri(results), results, warn=pytest.fail, command=RUN) as tracker:
        follow(tracker, one)
        follow(tracker, other)
        tracker.files_written([a_table(results)])
    (parent,), children = runs_of(results)
    assert (parent.info.run_name, parent.info.status) == ("run short_term paper", "FAILED")
    assert (parent.data.metrics["done"], parent.data.metrics["failed"]) == (1, 1)
    assert parent.data.tags["stbench.command"] == "stbench run --all"
    assert parent.data.tags["mlflow.note.content"] == "`stbench run --all`"
    assert parent.data.tags["mlflow.source.git.commit"] == "0123456789ab"
    assert {child.data.tags["mlflow.parentRunId"] for child in children} == {parent.info.run_id}
    (kept,) = (results / "mlartifacts" / parent.info.run_id).rglob("*.md")
    assert (kept.parent.name, kept.read_text(encoding="utf-8")) == ("tables", "a table")
    assert records_from(default_uri(results)) == sorted([one, other], key=lambda a: a.run_id)


@pytest.mark.parametrize(
    ("datasets", "methods", "title"),
    [
        (("bikenyc",), ("stid", "dlinear"), "run short_term paper: bikenyc, 2 methods"),
        (("bikenyc", "taxinyc"), ("stid",), "run short_term paper: bikenyc and taxinyc, stid"),
        (("a", "b", "c"), ("stid",) * 4, "run short_term paper: 3 data sets, 4 methods"),
        ((), (), "run short_term paper"),
    ],
)
def test_the_run_of_a_command_is_named_by_what_it_makes(
    datasets: tuple[str, ...], methods: tuple[str, ...], title: str
) -> None:
    command = msgspec.structs.replace(RUN, datasets=datasets, methods=methods)
    assert command.title == title
    assert command.tags.get("stbench.dataset") == (", ".join(datasets) or None)


def test_a_command_that_ends_while_another_begins_is_not_called_killed(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MlflowStore.open(default_uri(results), results)
    first = store.begin(RUN)

    def ended_meanwhile(lock: Path) -> bool:
        first.end("FINISHED", {})
        return is_locked(lock)

    monkeypatch.setattr("bench.records.mlflow_store.is_locked", ended_meanwhile)
    store.begin(RUN).end("FINISHED", {})
    parents, _ = runs_of(results)
    assert [parent.info.status for parent in parents] == ["FINISHED", "FINISHED"]


def test_a_run_says_its_data_set_source_user_and_what_it_is_found_by(results: Path) -> None:
    with Tracker(default_uri(results), results, warn=pytest.fail, command=RUN) as tracker:
        follow(tracker, made(seed=7, tuned=True))
    _, (run,) = runs_of(results)
    wanted = {
        "mlflow.source.name": "stbench run",
        "mlflow.source.git.commit": "0123456789ab",
        "mlflow.source.git.dirty": "true",
        "mlflow.user": getpass.getuser(),
        "stbench.suite": "short_term",
        "stbench.seed": "7",
        "stbench.profile": "paper",
        "stbench.tuned": "true",
    }
    assert {name: run.data.tags.get(name) for name in wanted} == wanted
    assert "" not in run.data.tags.values()
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("bikenyc", "d" * 36)
    assert "Citi Bike" in given.dataset.source


def test_a_run_that_is_synced_later_began_and_ended_when_it_did(results: Path) -> None:
    done, failed = made(seed=0), made(seed=1, failed=True)
    assert sync([done, failed], default_uri(results), results) == (2, 0)
    _, runs = runs_of(results)
    times = {run.info.status: (run.info.start_time, run.info.end_time) for run in runs}
    assert times["FINISHED"] == (1000 * (ENDED - done.cost.wall_s), 1000 * ENDED)  # type: ignore[union-attr]
    assert times["FAILED"] == (1000 * ENDED, 1000 * ENDED)


def test_a_run_says_how_to_make_it_again_also_where_it_is_synced(results: Path) -> None:
    one, other = made(seed=0), made(seed=1)
    with Tracker(default_uri(results), results, warn=pytest.fail, command=RUN) as tracker:
        follow(tracker, one)
    sync([one, other], default_uri(results), results)
    _, runs = runs_of(results)
    found = {run.data.tags["stbench.run_id"]: run.data.tags for run in runs}
    for record_of in (one, other):
        tags = found[record_of.run_id]
        assert tags["stbench.reproduce"] == command_of(record_of)
        assert tags["mlflow.note.content"] == f"`{command_of(record_of)}`"


def test_a_run_that_is_followed_late_began_when_its_command_says(results: Path) -> None:
    with Tracker(default_uri(results), results, warn=pytest.fail, command=RUN) as tracker:
        tracker.run_started(plan_of(made()), ENDED - 60)
        tracker.run_finished(plan_of(made()), made())
    (parent,), (run,) = runs_of(results)
    assert (run.info.start_time, run.info.end_time) == (1000 * (ENDED - 60), 1000 * ENDED)
    assert parent.info.start_time == run.info.start_time


def test_what_is_synced_is_below_a_run_of_the_sync_with_the_tables_that_are_there(results: Path) -> None:
    table, command = a_table(results), Command(name="stbench sync")
    for expected in ((1, 0), (0, 1)):
        assert sync([made()], default_uri(results), results, command=command, files=[table]) == expected
    (parent,), (child,) = runs_of(results)
    assert (parent.info.run_name, parent.info.status) == ("sync", "FINISHED")
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert len(list((results / "mlartifacts" / parent.info.run_id).rglob("ranks.md"))) == 1


def test_a_sync_that_is_stopped_says_so_and_the_next_one_goes_on(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, log_text = [made(seed=seed) for seed in range(3)], MlflowStore._finish

    def stop(self: MlflowStore, mlflow_id: str, one: Record, *, own: bool) -> None:
        if one.seed == 1:
            raise KeyboardInterrupt
        log_text(self, mlflow_id, one, own=own)

    monkeypatch.setattr(MlflowStore, "_finish", stop)
    with pytest.raises(KeyboardInterrupt):
        sync(records, default_uri(results), results, command=Command(name="stbench sync"))
    monkeypatch.undo()
    assert sync(records, default_uri(results), results, command=Command(name="stbench sync")) == (2, 1)
    parents, children = runs_of(results)
    assert sorted(parent.info.status for parent in parents) == ["FINISHED", "KILLED"]
    assert [child.info.status for child in children] == ["FINISHED"] * 3


def test_a_command_that_was_killed_is_closed_by_the_next_one_and_one_that_lives_is_not(results: Path) -> None:
    dead = MlflowStore.open(default_uri(results), results).begin(RUN)
    dead._lock.release()
    alive = MlflowStore.open(default_uri(results), results).begin(RUN)
    latest = MlflowStore.open(default_uri(results), results).begin(RUN)
    parents, _ = runs_of(results)
    states = {parent.info.run_id: parent.info.status for parent in parents}
    assert states == {dead.mlflow_id: "KILLED", alive.mlflow_id: "RUNNING", latest.mlflow_id: "RUNNING"}
    for command in (alive, latest):
        command.end("FINISHED", {})


def test_a_run_that_a_sync_has_closed_meanwhile_is_logged_once_and_its_curve_has_no_double(results: Path) -> None:
    one = made(epochs=3)
    store = MlflowStore.open(default_uri(results), results)
    begun = store.start(one.run_id, one.spec, one.label)
    store.log_epochs(begun, one.curve[:1])  # type: ignore[union-attr]
    assert sync([one], default_uri(results), results) == (1, 0)
    store.log_epochs(begun, one.curve[1:])  # type: ignore[union-attr]
    assert store.log(one, None, begun) is False
    _, (run,) = runs_of(results)
    history = store._client.get_metric_history(run.info.run_id, "epoch/val_mae")
    assert sorted(point.step for point in history) == [1, 2, 3]


def test_a_run_that_a_sync_has_logged_before_it_was_begun_is_logged_once(results: Path) -> None:
    one = made()
    assert sync([one], default_uri(results), results) == (1, 0)
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        follow(tracker, one)
    _, runs = runs_of(results)
    assert [run.info.status for run in runs] == ["FINISHED"]


def test_a_run_under_way_in_another_results_folder_is_no_run_to_go_on_with(results: Path, tmp_path: Path) -> None:
    one, uri = made(), default_uri(results)
    theirs = MlflowStore.open(uri, tmp_path / "theirs").start(one.run_id, one.spec, one.label)
    with Tracker(uri, results, warn=pytest.fail) as tracker:
        follow(tracker, one)
    _, runs = runs_of(results)
    assert {run.info.run_id: run.info.status for run in runs}[theirs] == "RUNNING"
    assert sorted(run.info.status for run in runs) == ["FINISHED", "RUNNING"]


def test_the_order_of_logging_counts_not_when_runs_ended(results: Path) -> None:
    old = msgspec.structs.replace(made(mae=1.0), ended=ENDED - 100)
    for one in (made(mae=2.0), old):
        sync([one], default_uri(results), results)
    assert records_from(default_uri(results)) == [old]
