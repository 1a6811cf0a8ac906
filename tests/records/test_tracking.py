from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from records import record, results_of, suite
from servers import free_port, tracking_server
from tracked import CONTROLS, follow, plan_of

from bench.analysis.figures._files import figure_files
from bench.analysis.formats.files import table_files
from bench.analysis.results import Results, artefacts
from bench.errors import TrackingError
from bench.records.mlflow_address import default_uri, first_line, quiet_environment, shown
from bench.records.mlflow_store import MlflowStore
from bench.records.store import ResultStore
from bench.records.tracking import Tracker, records_from, sync
from bench.runs.suite import load_suites

pytestmark = [
    pytest.mark.usefixtures("nothing_is_left_in_the_current_folder"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # MLflow's own, on its libraries
]


def mlflow_runs(uri: str) -> list[Any]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    return list(client.search_runs([client.get_experiment_by_name("st-vfm-bench").experiment_id]))


@pytest.fixture
def warnings() -> list[str]:
    return []


def files_of(results: Results) -> dict[str, bytes]:
    """Every table, and every figure of a suite, by file name."""
    names = [suite.name for suite in results.suites]
    files = table_files(results, [*names, *artefacts("tables")]) | figure_files(results, names)
    return {name: content for name, content in files.items() if content is not None}


def test_tables_from_mlflow_are_those_from_the_store_byte_for_byte(results: Path) -> None:
    store, suites = ResultStore(results), load_suites(["short_term", "controls"])
    variants = [record(model="stvfm", mae=mae, overrides={"model.control": name}) for name, mae in CONTROLS]
    variants.append(record(model="stvfm", weights="pretrained"))
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        for made in [*suite(seeds=2, models=1), *variants]:
            follow(tracker, made)
            store.write(made)
    from_store = files_of(results_of(store.records(), suites=suites))
    from_mlflow = files_of(results_of(records_from(default_uri(results)), suites=suites))
    names = {
        "ranks.md",
        "efficiency.md",
        "per_horizon.csv",
        "short_term.md",
        "short_term.csv",
        "controls.tex",
        "controls_differences.csv",
        "controls-1.png",
    }
    assert names <= from_store.keys()
    assert from_store.keys() == from_mlflow.keys()
    assert [name for name, content in from_store.items() if from_mlflow[name] != content] == []


def test_a_tracked_run_carries_its_settings_tags_curve_and_scores(results: Path) -> None:
    made = record(seed=7, epochs=3, overrides={"text": "x" * 9000})
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        follow(tracker, made)
    [run] = mlflow_runs(default_uri(results))
    assert run.info.run_name == "bikenyc/stid/s7"
    assert run.info.status == "FINISHED"
    assert run.data.params["task.horizon"] == "6"
    assert run.data.params["model.text"] == "x" * 500
    assert run.data.tags["stbench.run_id"] == made.run_id
    assert run.data.tags["stbench.synthetic"] == "false"
    assert run.data.metrics["test_mae"] == made.scores["test"]["mae"].overall

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=default_uri(results))
    steps = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "test_mae_step")}
    assert [steps[step] for step in range(1, 7)] == made.scores["test"]["mae"].per_step
    curve = {point.step: point.value for point in client.get_metric_history(run.info.run_id, "epoch/train_loss")}
    assert curve == {row.epoch: row.train_loss for row in made.curve}


def test_a_failed_run_is_marked_failed_with_its_reason(results: Path) -> None:
    made = record(failed=True)
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        follow(tracker, made)
    [run] = mlflow_runs(default_uri(results))
    assert run.info.status == "FAILED"
    assert run.data.tags["stbench.error"] == "the loss is NaN"
    assert records_from(default_uri(results)) == [made]


def test_a_killed_run_is_continued_and_its_curve_has_no_gap_and_no_double(results: Path) -> None:
    made = record(epochs=4)
    killed = Tracker(default_uri(results), results, warn=pytest.fail)
    killed.run_started(plan_of(made))
    killed.epoch(plan_of(made), msgspec.structs.asdict(made.curve[0]))
    killed.close()
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        tracker.run_started(plan_of(made))
        tracker.epoch(plan_of(made), msgspec.structs.asdict(made.curve[3]))
        tracker.run_finished(plan_of(made), made)
    [run] = mlflow_runs(default_uri(results))

    from mlflow import MlflowClient

    history = MlflowClient(tracking_uri=default_uri(results)).get_metric_history(run.info.run_id, "epoch/val_mae")
    assert sorted(point.step for point in history) == [1, 2, 3, 4]
    assert run.info.status == "FINISHED"


def test_runs_side_by_side_keep_their_curves_apart(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.records.tracking.FLUSH_S", 0.0)
    one, other = record(seed=0, epochs=3), record(seed=1, epochs=2)
    longer = [msgspec.structs.replace(row, val_mae=row.val_mae + 100) for row in other.curve]
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        for made in (one, other):
            tracker.run_started(plan_of(made))
        for mine, its in zip(one.curve, longer, strict=False):
            tracker.epoch(plan_of(one), msgspec.structs.asdict(mine))
            tracker.epoch(plan_of(other), msgspec.structs.asdict(its))
        for made in (other, one):
            tracker.run_finished(plan_of(made), made)

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=default_uri(results))
    for run in mlflow_runs(default_uri(results)):
        history = client.get_metric_history(run.info.run_id, "epoch/val_mae")
        expected = longer if run.info.run_name.endswith("s1") else one.curve
        assert {point.step: point.value for point in history} == {row.epoch: row.val_mae for row in expected}


def test_sync_adds_what_is_missing_once_and_finishes_what_was_killed(results: Path) -> None:
    first, second, third = record(seed=0), record(seed=1), record(seed=2, failed=True)
    uri = default_uri(results)
    with Tracker(default_uri(results), results, warn=pytest.fail) as tracker:
        follow(tracker, first)
        tracker.run_started(plan_of(second))
    assert sync([first, second, third], uri, results) == (2, 1)
    assert sync([first, second, third], uri, results) == (0, 3)
    assert len(mlflow_runs(uri)) == 3
    assert records_from(uri) == sorted([first, second, third], key=lambda made: made.run_id)


def test_a_repeated_run_replaces_the_earlier_one_when_records_are_read_back(results: Path) -> None:
    old, new = record(mae=1.0), record(mae=2.0)
    assert old.run_id == new.run_id
    uri = default_uri(results)
    for made in (old, new):
        sync([made], uri, results)
        time.sleep(0.002)  # MLflow's clock counts milliseconds
    assert records_from(uri) == [new]


def test_a_changed_artefact_is_refused(results: Path) -> None:
    sync([record()], default_uri(results), results)
    [path] = (results / "mlartifacts").rglob("record.json")
    path.write_text(path.read_text().replace('"overall": 1.25', '"overall": 0.25'))
    with pytest.raises(TrackingError, match="was changed after it was logged"):
        records_from(default_uri(results))


def test_a_locked_data_base_is_told_once_and_fails_no_run(
    results: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.records.mlflow_database.WAIT_S", 0.5)
    with closing(sqlite3.connect(results / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with Tracker(default_uri(results), results, warn=warnings.append) as tracker:
            for made in (record(seed=0), record(seed=1)):
                follow(tracker, made)
            assert warnings == []  # the runs went on while MLflow waited for the lock
        other.execute("ROLLBACK")
    assert len(warnings) == 1
    assert "locked" in warnings[0]
    assert "stbench sync" in warnings[0]
    assert sync([record(seed=0), record(seed=1)], default_uri(results), results) == (2, 0)


@pytest.mark.timeout(30)
def test_a_dead_server_costs_seconds_and_fails_no_run(tmp_path: Path, warnings: list[str]) -> None:
    with Tracker(f"http://127.0.0.1:{free_port()}", tmp_path, warn=warnings.append) as tracker:
        follow(tracker, record(seed=0))
        follow(tracker, record(seed=1))
    assert len(warnings) == 1


def test_a_tracker_that_has_nothing_to_say_opens_nothing(tmp_path: Path) -> None:
    with Tracker(default_uri(tmp_path), tmp_path, warn=pytest.fail) as tracker:
        tracker.run_skipped(plan_of(record()), "stored")
    assert list(tmp_path.iterdir()) == []


def test_reading_from_a_data_base_that_is_not_there_creates_none(tmp_path: Path) -> None:
    with pytest.raises(TrackingError, match="there is no MLflow data base"):
        records_from(f"sqlite:///{tmp_path / 'absent.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("uri", ["", " "])
def test_an_empty_address_is_refused_and_creates_nothing(tmp_path: Path, uri: str, warnings: list[str]) -> None:
    with pytest.raises(TrackingError, match="the address of MLflow is empty"):
        records_from(uri)
    with pytest.raises(TrackingError, match="the address of MLflow is empty"):
        sync([record()], uri, tmp_path)
    with Tracker(uri, tmp_path, warn=warnings.append) as tracker:
        follow(tracker, record())
    assert len(warnings) == 1
    assert list(Path.cwd().iterdir()) == []


def test_reading_with_a_named_driver_creates_no_data_base() -> None:
    with pytest.raises(TrackingError, match="there is no MLflow data base"):
        records_from("sqlite+pysqlite:///absent.db")
    assert list(Path.cwd().iterdir()) == []


def test_a_file_that_is_no_data_base_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"not a data base " * 100)
    with pytest.raises(TrackingError, match="cannot be used"):
        sync([], default_uri(tmp_path), tmp_path)


def test_a_password_is_never_shown() -> None:
    for password in ("secret", "se/cret", "se@cret", "s@e/c@ret", "/@", "sqlite:///x"):
        assert shown(f"postgresql://me:{password}@host/db") == "postgresql://***@host/db"
    for open_to_all in ("sqlite:////srv/results/mlflow.db", "sqlite:////home/me@work/mlflow.db", "http://host:5000"):
        assert shown(open_to_all) == open_to_all
    for word in ("results@home", "./a:b/c@d", "model.width=64", "/data/me@host"):
        assert shown(word) == word
    assert shown("me:secret@host:5000") == "***@host:5000"
    assert shown("http:/me:secret@host") == "http:/***@host"


@pytest.mark.parametrize(
    ("uri", "raised"),
    [
        ("http://me:secret@MyHost:5000", "for url: http://me:secret@myhost:5000/api"),
        ("http://me:se cret@host", "for url: http://me:se%20cret@host/api"),
    ],
)
def test_an_error_that_writes_an_address_in_other_letters_shows_no_password(uri: str, raised: str) -> None:
    line = first_line(OSError(raised), uri)
    assert "cret" not in line
    assert line.startswith("for url: http://***@")
    assert first_line(OSError("no file sqlite:////home/me@work/x.db"), None).endswith("me@work/x.db")


def test_an_error_of_mlflow_that_quotes_the_address_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    uri = "http://me:se/cr@et@host/"

    def fail(_: str) -> NoReturn:
        raise OSError(f"{uri}api/2.0 does not answer")

    monkeypatch.setattr("bench.records.mlflow_client._client", fail)
    with pytest.raises(TrackingError, match=r"http://\*\*\*@host/api/2.0 does not answer") as caught:
        records_from(uri)
    assert "cr@et" not in str(caught.value)


def test_a_process_of_mlflow_is_quiet_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setenv("MLFLOW_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setenv("SOMETHING_ELSE", "kept")
    environment = quiet_environment()
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == environment["DO_NOT_TRACK"] == "true"
    assert (environment["MLFLOW_LOGGING_LEVEL"], environment["SOMETHING_ELSE"]) == ("DEBUG", "kept")


@pytest.mark.slow
def test_tracking_prints_nothing_of_its_own(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    folders = [str(root / name) for name in ("", "tests/support", "tests/records")]
    code = (
        f"import sys; sys.path[:0] = {folders!r}\n"
        "from pathlib import Path; from test_tracking import *\n"
        f"results = Path({str(tmp_path)!r})\n"
        "with Tracker(default_uri(results), results, warn=print) as tracker: follow(tracker, record())\n"
        "assert records_from(default_uri(results)) == [record()]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_importing_the_tracking_imports_no_mlflow() -> None:
    modules = "bench.records.tracking, bench.analysis.results, bench.records.store"
    code = f"import sys, {modules}; print({{'mlflow', 'torch', 'pandas'}} & {{*sys.modules}})"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.slow
def test_a_real_server_keeps_runs_and_artefacts(tmp_path: Path) -> None:
    with tracking_server(tmp_path / "server") as uri:
        made = [record(seed=0), record(seed=1, failed=True)]
        with Tracker(uri, tmp_path / "results", warn=pytest.fail) as tracker:
            follow(tracker, made[0])
        assert sync(made, uri, tmp_path / "results") == (1, 1)
        assert records_from(uri) == sorted(made, key=lambda one: one.run_id)
        assert MlflowStore.open_existing(uri)
    assert not (tmp_path / "results" / "mlartifacts").exists()
