"""Trials of ``stbench tune`` that fail: what their line says, where the whole error is, and that a limit ends them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import errands
import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.cli.terminal import Console
from bench.cli.tune_screen import TuneScreen
from bench.tuning import search
from bench.tuning.storage import open_storage
from bench.tuning.studies import Job, SharedStudy, Target
from bench.tuning.worker import Worker

TOO_LONG = "TimeLimitError: it took longer than the time limit of 1 s and was ended"


@pytest.mark.parametrize("traceback", [False, True])
def test_a_trial_beyond_the_limit_is_ended_and_has_failed_and_its_line_names_the_log(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traceback: bool
) -> None:
    monkeypatch.setattr(search, "trial_mae", errands.trains_for_long)
    monkeypatch.setattr(search, "MOST_FAILURES", 1)
    plan = ["--model", "stid", "--dataset", "tiny", "--data-dir", tiny, "--results", tmp_path, "--no-track"]
    asked = [*plan, "--trials", 1, "--threads", 1, "--time-limit", 1, *["--traceback"] * traceback]
    result = CliRunner().invoke(app, ["tune", *map(str, asked)], env={"COLUMNS": "200"})
    assert result.exit_code == 1, result.output
    log = tmp_path / "tuning" / "tiny" / "stid.trial-0.failed.log"
    (line,) = (line for line in result.output.splitlines() if line.startswith("✗ tiny / stid / trial 0: "))
    assert line.startswith(f"✗ tiny / stid / trial 0: {TOO_LONG}")
    assert line.endswith(f"whole error: {log}")
    assert TOO_LONG in log.read_text(encoding="utf-8")
    assert (log.read_text(encoding="utf-8").rstrip() in result.output) == traceback
    assert not list(tmp_path.rglob("stid.toml"))


def test_a_trial_whose_process_died_is_not_told_with_the_log_of_an_earlier_study(
    make_job: Callable[[], Job], tmp_path: Path
) -> None:
    printed, logs = io.StringIO(), {number: tmp_path / f"{number}.log" for number in range(2)}
    for number, log in logs.items():
        log.write_text(f"all of error {number}", encoding="utf-8")
    screen = TuneScreen(Console(file=printed), [], Target(trials=2), lambda _, number: logs[number], traceback=True)
    with Worker(tmp_path) as alive:
        with Worker(tmp_path) as dead:
            mine, lost = (
                SharedStudy(
                    make_job(), Target(trials=2), open_storage(None, tmp_path / "a" / "b" / "c.journal"), worker
                )
                for worker in (alive, dead)
            )
            screen.looked(mine)
            mine.fail(mine.claim(), "ValueError: odd")
            lost.claim()
        mine.claim()
        screen.looked(mine)
    assert "trial 1: its process ended before it did" in printed.getvalue()
    assert [f"all of error {number}" in printed.getvalue() for number in logs] == [True, False]
    assert [f"{log}" in printed.getvalue() for log in logs.values()] == [True, False]
