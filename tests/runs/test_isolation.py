"""Calls in a process of their own, and runs of a plan that harm nothing but themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import errands
import kills
import pytest
import torch
from commands import ROOT, environment
from hostile import model_text

from bench.catalog.data import Catalog
from bench.context import RunContext, flags_kept
from bench.errors import WorkerError
from bench.records.record import DoneRun, Record
from bench.runs import ends
from bench.runs.ends import END_S, End, RaisedError
from bench.runs.isolation import Workers, call
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite

CPU = torch.device("cpu")
BUDGET = ("train.epochs=2", "train.steps_per_epoch=3", "train.batch_size=8", "train.precision=fp32")


def gone(process: int) -> bool:
    """Whether a process ends within some seconds, whoever is told of its end."""
    return not kills.gone([process])


def test_a_call_gives_its_answer_from_a_process_that_is_gone_afterwards() -> None:
    (first, one), (second, other) = call(errands.doubled, 3), call(errands.doubled, 4)
    assert (first, second) == (6, 8)
    assert len({one, other, os.getpid()}) == 3
    assert gone(one)


def test_a_worker_has_the_variables_folder_and_threads_of_the_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call(errands.doubled, 1)  # the fork server is there, and knows nothing of what follows
    monkeypatch.setenv("STBENCH_MOMENT", "now")
    monkeypatch.chdir(tmp_path)
    assert call(errands.surroundings, "STBENCH_MOMENT") == ("now", str(tmp_path), torch.get_num_threads())
    monkeypatch.delenv("STBENCH_MOMENT")
    assert call(errands.surroundings, "STBENCH_MOMENT")[0] is None


def test_rows_come_in_their_order_while_the_call_goes_on() -> None:
    told: list[float] = []
    assert call(errands.tells, 3, on_row=lambda row: told.append(row["epoch"])) == 3
    assert told == [0.0, 1.0, 2.0]


def test_a_worker_may_have_something_done_in_yet_another_process() -> None:
    doubled, other, worker = call(errands.asks_for_another, 3, on_row=lambda _: None)
    assert doubled == 6
    assert len({other, worker, os.getpid()}) == 3
    with pytest.raises(RaisedError, match="exit code 7"):
        call(errands.another_that_dies, on_row=lambda _: None)


@pytest.mark.parametrize(
    ("how", "kind", "sentence"),
    [
        ("error", "ValueError", "as planned"),
        ("sys.exit", "SystemExit", r"called sys.exit\(3\); raise an error in its place"),
        ("interrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_what_a_call_raises_is_told_as_a_record_tells_it(how: str, kind: str, sentence: str) -> None:
    with pytest.raises(RaisedError, match=sentence) as caught:
        call(errands.dies, how)
    assert caught.value.failure.type == kind
    assert caught.value.failure.where.startswith("errands.py:")


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("exit", "ended with exit code 7 and no word; .* as os._exit does"),
        ("kill", "ended by the signal SIGKILL, as the system does when memory runs out"),
        ("crash", "ended by the signal SIGSEGV; the other runs go on"),
    ],
)
def test_a_process_that_dies_is_one_sentence(how: str, sentence: str) -> None:
    with pytest.raises(WorkerError, match=sentence):
        call(errands.dies, how)


def test_a_worker_that_dies_while_another_process_works_for_it_is_one_sentence() -> None:
    with pytest.raises(WorkerError, match="ended by the signal SIGKILL"):
        call(errands.dies_while_another_works, on_row=lambda _: None)


def test_an_answer_that_cannot_be_sent_is_said_to_be_one() -> None:
    with pytest.raises(RaisedError, match=r"the lock that .* gives cannot be sent .*; give plain data"):
        call(errands.gives_what_cannot_be_sent)


def test_an_error_of_the_system_in_an_observer_is_not_taken_for_the_end_of_a_worker() -> None:
    def no_space(_: dict[str, float]) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        call(errands.tells, 1, on_row=no_space)


def test_what_a_row_raises_here_ends_the_worker() -> None:
    told: list[int] = []

    def interrupted(row: dict[str, float]) -> None:
        told.append(int(row["process"]))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(errands.stays, on_row=interrupted)
    assert gone(told[0])


def test_a_worker_does_not_wait_for_threads_that_are_left() -> None:
    started = time.monotonic()
    assert call(errands.leaves_a_thread) == 1
    assert time.monotonic() - started < END_S


def test_workers_do_not_see_what_another_one_did() -> None:
    before = call(errands.flags)
    call(errands.spoil)
    assert call(errands.flags) == before == (torch.float32, before[1], False)


def test_a_worker_that_takes_too_long_is_ended_and_that_is_what_it_raised() -> None:
    told: list[int] = []
    with pytest.raises(
        RaisedError, match=r"longer than the time limit of 1 s and was ended; .* larger --time-limit, or time_limit="
    ) as late:
        call(errands.stays, on_row=lambda row: told.append(int(row["process"])), limit=1)
    assert late.value.failure.type == "TimeLimitError"
    assert gone(told[0])
    assert call(errands.doubled, 3, limit=60)[0] == 6


def test_a_worker_that_dies_is_heard_though_its_child_lives_and_the_child_ends_with_it() -> None:
    told: list[int] = []
    with pytest.raises(WorkerError, match="exit code 3"):
        call(errands.leaves_a_child, on_row=lambda row: told.append(int(row["process"])))
    assert gone(told[0])


def test_a_worker_that_closes_all_files_does_not_take_its_parent_for_gone() -> None:
    with pytest.raises(WorkerError, match="exit code 0 and no word"):
        call(errands.closes_all_files, 0.5)


def test_a_worker_that_cannot_be_heard_any_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "END_S", 0.2)
    with pytest.raises(WorkerError, match="closed its pipe to the command and went on without it"):
        call(errands.closes_all_files, 3600)


def test_a_model_that_ends_the_fork_server_ends_no_other_worker() -> None:
    came: dict[str, End] = {}
    with Workers() as workers:
        workers.start(time.sleep, 2.0, on_end=lambda end: came.update(sleeper=end))
        workers.start(errands.kills_the_fork_server, on_end=lambda end: came.update(killer=end), limit=1)
        while len(workers):
            workers.listen()
    assert (came["sleeper"].how, came["killer"].how) == ("answer", "raised")
    assert call(errands.doubled, 3)[0] == 6


def test_what_a_worker_prints_comes_in_plain_lines_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    call(errands.prints, name="tiny / stid")
    assert sorted(capsys.readouterr().err.splitlines()) == ["tiny / stid: red", "tiny / stid: worse"]


SCRIPT = """
import os, sys, time
import errands
import kills
from bench.runs.isolation import call
call(errands.stays, on_row=lambda row: print(int(row["process"]), flush=True))
"""


def test_a_worker_ends_with_the_process_that_started_it_and_needs_no_guard_around_a_script(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        env={**environment(), "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()
    assert gone(worker)


def test_flags_are_set_anew_for_a_run_and_given_back_after_it() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with flags_kept():
            threads = torch.get_num_threads()
            RunContext(seed=0, device=CPU).begin()
            assert torch.get_default_dtype() == torch.float32
            torch.set_num_threads(threads + 1)
            torch.set_grad_enabled(False)
            torch.set_default_device("meta")
            torch.use_deterministic_algorithms(False)
            torch.set_float32_matmul_precision("medium")
            torch.backends.cudnn.benchmark = True
            RunContext(seed=0, device=CPU).begin()
            assert torch.is_grad_enabled()
            assert torch.zeros(1).device == CPU
            assert torch.are_deterministic_algorithms_enabled()
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.benchmark
        assert (torch.get_default_dtype(), torch.get_num_threads()) == (torch.float64, threads)
    finally:
        torch.set_default_dtype(torch.float32)


# Runs of a plan

HARM = """
import bench.metrics, bench.scoring, bench.windows
torch.set_default_dtype(torch.float64)
torch.set_num_threads(7)
torch.use_deterministic_algorithms(False)
torch.set_grad_enabled(False)
torch.backends.cudnn.benchmark = True
torch.manual_seed(1); np.random.seed(1); random.seed(1)
os.environ["OMP_NUM_THREADS"] = "7"
bench.scoring.window_sums = lambda forecast, *rest: torch.zeros(len(forecast), 6, 2, 8, dtype=torch.float64)
bench.metrics.FIELDS = ()
bench.windows.WindowSet.window = None
nn.functional.linear = lambda *args: 0
nn.Linear.forward = lambda self, x: 0
torch.Tensor.float = lambda self: self * 0
"""
ENDS = {
    "harm": HARM,
    "leaves": "import sys; sys.exit(0)",
    "dies": "os._exit(0)",
    "crashes": "os.kill(os.getpid(), 11)",
    "interrupts": "raise KeyboardInterrupt",
}


def planned(catalog: Catalog, *models: str) -> list[object]:
    selection = Selection(models=models, datasets=("tiny",), overrides=BUDGET)
    runs = {run.model: run for run in plan(load_suite("short_term"), selection, catalog)}
    return [runs[model] for model in models]


def test_whatever_a_model_does_to_its_process_the_records_of_the_others_are_the_same(
    catalog: Catalog, tmp_path: Path, registered: Callable[[str, str], None]
) -> None:
    for name, lines in ENDS.items():
        registered(f"it_{name}", model_text(f"{lines}\nreturn window.history + self.level"))
    names = [f"it_{name}" for name in ENDS]
    with_harm = [names[0], "stid", *names[1:3], "last_value", *names[3:], "dlinear"]
    alone, beside = Runner(catalog, tmp_path / "alone", CPU), Runner(catalog, tmp_path / "beside", CPU)
    assert alone.run(planned(catalog, "stid", "last_value", "dlinear"))["done"] == 3
    assert beside.run(planned(catalog, *with_harm))["failed"] == len(ENDS)
    found = {record.model: record for record in beside.store.records()}
    for record in alone.store.records():
        assert scores(found[record.model]) == scores(record)
    reasons = {name: found[f"it_{name}"].error for name in ENDS}  # type: ignore[union-attr]
    assert {name: reason.type for name, reason in reasons.items() if name != "harm"} == {
        "leaves": "SystemExit",
        "dies": "WorkerError",
        "crashes": "WorkerError",
        "interrupts": "KeyboardInterrupt",
    }
    assert "exit code 0 and no word" in reasons["dies"].message
    assert "SIGSEGV" in reasons["crashes"].message


def scores(record: Record) -> tuple[object, ...]:
    assert isinstance(record, DoneRun)
    return record.scores, record.windows, record.audit, record.curve, record.environment.threads


def test_a_model_whose_file_ends_the_process_is_a_failed_run(
    catalog: Catalog, tmp_path: Path, registered: Callable[[str, str], None]
) -> None:
    registered("gone_at_once", model_text("return window.history", top="sys.exit(0)"))
    runner = Runner(catalog, tmp_path / "results", CPU)
    assert runner.run(planned(catalog, "gone_at_once", "last_value")) == {"done": 1, "failed": 1, "skipped": 0}
    (failed,) = [record for record in runner.store.records() if record.status == "failed"]
    assert "'gone_at_once' cannot be imported" in failed.error.message
