"""Runs side by side: the same records as one after the other, and what becomes of workers that die."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import model_text
from rich.console import Console

from bench.catalog.data import Catalog
from bench.cli.console import ConsoleObserver
from bench.errors import StoreError
from bench.files import atomic_write, held_file
from bench.records.planned import PlannedRun
from bench.records.record import DoneRun, Record
from bench.records.store import ResultStore
from bench.runs.estimate import Pace, pace_key
from bench.runs.execution import failure_of
from bench.runs.executors import Follower
from bench.runs.executors.processes import Processes
from bench.runs.order import in_order, span
from bench.runs.plan import Selection, plan
from bench.runs.preloading import large_libraries
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.runs.worker import Work

BUDGET = ("train.epochs=2", "train.steps_per_epoch=3", "train.batch_size=8", "train.precision=fp32")


def planned(catalog: Catalog, *models: str, **choices: Any) -> list[PlannedRun]:
    selection = Selection(models=models, **({"datasets": ("tiny",), "overrides": BUDGET} | choices))
    return plan(load_suite("short_term"), selection, catalog)


def scored(record: Record) -> tuple[object, ...]:
    """Of a record what is no second and no megabyte."""
    assert isinstance(record, DoneRun), record.error
    curve = [(row.epoch, row.train_loss, row.val_mae) for row in record.curve]
    return record.run_id, record.scores, record.windows, record.audit, record.inputs, curve, record.environment


def left_behind(results: Path) -> list[Path]:
    """Locks, checkpoints and parts of files."""
    kinds = ("*.lock", "*.pt", ".*.tmp")
    return [path for kind in kinds for path in results.rglob(kind)]


class Recorder:
    """An observer that notes what it is told, and does something at an epoch."""

    def __init__(self, at_epoch: Callable[[PlannedRun], None] = lambda run: None) -> None:
        self.events: list[tuple[str, str]] = []
        self._at_epoch = at_epoch

    def run_started(self, run: PlannedRun) -> None:
        self.events.append(("started", run.title))

    def epoch(self, run: PlannedRun, row: Any) -> None:
        self.events.append((f"epoch {row['epoch']}", run.title))
        self._at_epoch(run)

    def run_finished(self, run: PlannedRun, record: Record) -> None:
        self.events.append((record.status, run.title))

    def run_retried(self, run: PlannedRun, why: str) -> None:
        self.events.append(("retried", run.title))

    def run_skipped(self, run: PlannedRun, why: str) -> None:
        self.events.append((why, run.title))


def test_two_side_by_side_leave_the_records_of_one_after_the_other(catalog: Catalog, tmp_path: Path) -> None:
    runs = planned(catalog, "ridge", "stid", "dlinear", "last_value", seeds=(0, 1))
    observer = Recorder()
    alone = Runner(catalog, tmp_path / "alone", Processes(["cpu"], 1))
    beside = Runner(catalog, tmp_path / "beside", Processes(["cpu", "cpu"], 1), [observer])
    assert alone.run(runs)["done"] == beside.run(runs)["done"] == len(runs)
    one, other = ({record.run_id: record for record in runner.store.records()} for runner in (alone, beside))
    assert {key: scored(record) for key, record in one.items()} == {
        key: scored(record) for key, record in other.items()
    }
    assert {record.environment.threads for record in other.values()} == {1}
    open_runs = [0]
    for what, _ in observer.events:
        open_runs.append(open_runs[-1] + {"started": 1, "done": -1}.get(what, 0))
    assert max(open_runs) == 2
    for run in runs:
        mine = [what for what, title in observer.events if title == run.title]
        assert mine == (["started", "epoch 1", "epoch 2", "done"] if run.model in ("stid", "dlinear") else mine)
        assert (mine[0], mine[-1]) == ("started", "done")


ONCE = """
if not os.path.exists(r"{mark}"):
    open(r"{mark}", "w").close()
    os.kill(os.getpid(), 9)
return window.history + self.level
"""


def test_a_worker_that_is_killed_costs_its_run_one_more_try(
    catalog: Catalog, tmp_path: Path, registered: Callable[[str, str], None]
) -> None:
    registered("killed_once", model_text(ONCE.format(mark=tmp_path / "mark")))
    registered("killed_always", model_text("os.kill(os.getpid(), 9)"))
    runs = planned(catalog, "killed_once", "killed_always", "last_value")
    observer = Recorder()
    runner = Runner(catalog, tmp_path / "results", Processes(["cpu", "cpu"], 1), [observer])
    assert runner.run(runs) == {"done": 2, "failed": 1, "skipped": 0}
    (failed,) = [record for record in runner.store.records() if record.status == "failed"]
    assert failed.model == "killed_always"
    assert "ended by the signal SIGKILL" in failed.error.message
    assert failed.error.message.endswith("; a second try ended alike")
    told = [what for what, title in observer.events if "killed_once" in title]
    assert told == ["started", "retried", "epoch 1", "epoch 2", "done"]
    assert left_behind(tmp_path / "results") == []


def test_a_full_disk_in_a_worker_ends_the_command_and_leaves_no_failed_run(
    catalog: Catalog, tmp_path: Path, registered: Callable[[str, str], None]
) -> None:
    registered("full", model_text("raise OSError(28, os.strerror(28), 'x')"))
    runs = sorted(planned(catalog, "full", "last_value"), key=lambda run: run.model == "full")
    runner = Runner(catalog, tmp_path / "results", Processes(["cpu"], 1))
    with pytest.raises(
        StoreError, match=r"a file cannot be written .*No space left.*: space on the disk may be out, .*; make room"
    ):
        runner.run(runs)
    assert [record.model for record in runner.store.records()] == ["last_value"]
    assert left_behind(tmp_path / "results") == []


def test_a_worker_that_is_killed_goes_on_from_its_checkpoint(catalog: Catalog, tmp_path: Path) -> None:
    def kill(run: PlannedRun) -> None:
        if len(observer.events) == 3:  # started, and two epochs
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid or 0, signal.SIGKILL)

    observer = Recorder(kill)
    runs = planned(catalog, "stid", overrides=("train.epochs=6", *BUDGET[1:]))
    disturbed = Runner(catalog, tmp_path / "disturbed", Processes(["cpu"], 1), [observer])
    alone = Runner(catalog, tmp_path / "alone", Processes(["cpu"], 1))
    assert disturbed.run(runs)["done"] == alone.run(runs)["done"] == 1
    told = [what for what, _ in observer.events]
    assert told[:3] == ["started", "epoch 1", "epoch 2"]
    assert told.count("epoch 1") == told.count("retried") == 1
    (one,), (other,) = (list(runner.store.records()) for runner in (disturbed, alone))
    assert scored(one) == scored(other)


def test_what_an_observer_raises_ends_all_workers_and_leaves_nothing(catalog: Catalog, tmp_path: Path) -> None:
    workers: list[int] = []

    def interrupt(run: PlannedRun) -> None:
        if len({title for what, title in observer.events if what == "epoch 1"}) == 2:
            workers.extend(child.pid or 0 for child in multiprocessing.active_children())
            raise KeyboardInterrupt

    observer = Recorder(interrupt)
    runs = planned(catalog, "stid", "dlinear", overrides=("train.epochs=3000", "train.patience=3000", *BUDGET[1:]))
    runner = Runner(catalog, tmp_path / "results", Processes(["cpu", "cpu"], 1), [observer])
    with pytest.raises(KeyboardInterrupt):
        runner.run(runs)
    assert len(workers) == 2
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    assert {path.suffix for path in left_behind(tmp_path / "results")} <= {".pt"}


class Silent:
    """An executor that tells of no beginning: the first try of each run dies, or none does."""

    here, jobs, stores = None, 1, False

    def __init__(self, *, dies: bool, rows: bool) -> None:
        self._dies, self._rows = dies, rows

    def run(self, works: Iterator[Work], follower: Follower) -> None:
        dead: set[str] = set()
        for work in works:
            if self._dies and work.run.run_id not in dead:
                dead.add(work.run.run_id)
                follower.died(work, "its machine is gone")
                continue
            if self._rows:
                follower.row(work, {"epoch": 1.0, "train_loss": 1.0, "val_mae": 1.0})
            follower.answered(work, failure_of(ValueError("made elsewhere")))

    def beside(self, function: Callable[..., None], *arguments: object) -> Any:
        raise AssertionError("a Runner asks for nothing beside its runs")


@pytest.mark.parametrize("dies", [False, True])
@pytest.mark.parametrize("rows", [False, True])
def test_a_run_of_whose_beginning_nobody_told_is_started_once_for_observers(
    catalog: Catalog, tmp_path: Path, dies: bool, rows: bool
) -> None:
    seen, runs = Recorder(), planned(catalog, "last_value", "window_mean")
    with ConsoleObserver(Console(file=io.StringIO()), len(runs)) as screen:
        outcome = Runner(catalog, tmp_path, Silent(dies=dies, rows=rows), [screen, seen]).run(runs)
    assert outcome["failed"] == len(runs)
    assert [name for name, _ in seen.events].count("started") == len(runs)


def test_a_run_that_another_process_has_finished_is_no_failure(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = planned(catalog, "last_value")
    Runner(catalog, tmp_path, "cpu", isolated=False).run([run])
    seen, asked = Recorder(), iter([False, False])
    real = ResultStore.has
    monkeypatch.setattr(ResultStore, "has", lambda store, *run: next(asked, None) is None and real(store, *run))
    outcome = Runner(catalog, tmp_path, Silent(dies=False, rows=False), [seen]).run([run])
    assert outcome == {"done": 1, "skipped": 0, "failed": 0}


def test_what_killed_processes_left_goes_and_what_others_hold_stays(catalog: Catalog, tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    mine, its = (f"{digit * 16}.{digit * 12}" for digit in "12")
    held = store.lock(mine)
    held.acquire()
    store.lock(its).acquire()  # and lost at once, as by a process that is killed
    folders = [tmp_path / name for name in ("runs/a", "tables", "figures", "tuned/b", "tuning/locks", ".")]
    dead = [folder / ".0123.tmp" for folder in folders] + [tmp_path / "tuning" / "locks" / "worker-1.lock"]
    for file in dead:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (tmp_path / "tuning" / "locks" / "id.lock").touch()
    with held_file(tmp_path / ".4567.tmp") as witness, atomic_write(tmp_path / "runs" / "a" / "b") as part:
        part.touch()
        Runner(catalog, tmp_path, Processes(["cpu"], 1)).run([])  # a command with nothing to do
        assert part.exists()
        assert witness.exists()
    assert not witness.exists()
    assert [file for file in dead if file.exists()] == []
    assert (tmp_path / "tuning" / "locks" / "id.lock").exists()
    assert [path.stem for path in (tmp_path / "locks").iterdir()] == [mine]
    store.release(held)
    assert list((tmp_path / "locks").iterdir()) == []


def test_long_runs_begin_first_behind_naive_baselines_and_the_time_is_that_of_the_places(catalog: Catalog) -> None:
    whole = (*BUDGET, "task.scored=0")
    runs = planned(catalog, "dlinear", "last_value", "stid", datasets=("tiny", "tiny2"), overrides=whole)
    seconds = {"stid": 3e-6, "dlinear": 1e-6}
    paces = {
        pace_key(run.spec): Pace(trained=True, seconds={24: seconds[run.model]}) for run in runs if run.model in seconds
    }
    shapes = {"tiny": (400, 2, 3, 4), "tiny2": (4000, 2, 3, 4)}
    begun = [(run.model, run.dataset) for run in in_order(runs, paces, shapes, 2)]
    assert {model for model, _ in begun[:2]} == {"last_value"}
    assert begun[2:] == [("stid", "tiny2"), ("dlinear", "tiny2"), ("stid", "tiny"), ("dlinear", "tiny")]
    assert [run.dataset for run in in_order(runs, paces, shapes, 1)] == ["tiny"] * 3 + ["tiny2"] * 3
    assert span([4, 3, 2, 1], 1) == 10
    assert span([4, 3, 2, 1], 2) == 5
    assert span([4, 1], 3) == 4


def test_large_libraries_are_loaded_once_where_many_runs_want_them(catalog: Catalog) -> None:
    assert large_libraries(planned(catalog, "last_value", "ridge", seeds=range(9))) == []
    assert large_libraries(planned(catalog, "stvfm", "stid")) == ["torch._dynamo"]
    assert large_libraries(planned(catalog, "stid", seeds=range(9))) == ["torch._dynamo"]
    assert large_libraries(planned(catalog, "stvfm", "visionts", seeds=range(4))) == [
        "torch._dynamo",
        "timm.models",
        "transformers.modeling_utils",
    ]
