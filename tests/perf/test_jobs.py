"""Runs side by side are compared by their scores, and by the seconds of commands that end well."""

from __future__ import annotations

import sys

import pytest
import typer
from msgspec.structs import replace
from records import record
from typer.testing import CliRunner

from bench.errors import WorkerError
from bench.perf import jobs
from bench.records.store import ResultStore


def folder(path, records):
    for each in records:
        ResultStore(path).write(each)
    return path


def test_equal_runs_are_equal_whatever_they_took(tmp_path):
    runs = [record(seed=seed) for seed in range(2)]
    slower = [replace(run, cost=replace(run.cost, wall_s=9 * run.cost.wall_s)) for run in runs]
    jobs.check_equal([folder(tmp_path / "one", runs), folder(tmp_path / "two", slower)], 2)


def test_one_bit_of_one_score_is_a_difference(tmp_path):
    run = record()
    mae = run.scores["test"]["mae"]
    score = replace(mae, overall=mae.overall * (1 + 2**-52))
    other = replace(run, scores={**run.scores, "test": {**run.scores["test"], "mae": score}})
    with pytest.raises(WorkerError, match=f"1 run has other scores side by side, such as {run.run_id}"):
        jobs.check_equal([folder(tmp_path / "one", [run]), folder(tmp_path / "two", [other])], 1)


def test_a_run_that_is_not_done_is_no_equal_run(tmp_path):
    runs = [record(seed=0), record(seed=1)]
    with pytest.raises(WorkerError, match="1 of 2 runs are done"):
        jobs.check_equal([folder(tmp_path / "one", runs), folder(tmp_path / "two", runs[:1])], 2)


def test_a_command_that_fails_is_not_measured():
    with pytest.raises(WorkerError, match="exit code 3: no luck"):
        jobs._seconds([sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"])


def test_a_first_command_is_not_counted_and_medians_stand_in_the_row(monkeypatch):
    commands, rows = [], []
    times = iter([100.0, 4.0, 2.0, 3.0, 8.0, 5.0, 3.0])

    def seconds(command):
        commands.append(command[command.index("--jobs") + 1] if "--jobs" in command else "first")
        return next(times)

    monkeypatch.setattr(jobs, "_seconds", seconds)
    monkeypatch.setattr(jobs, "check_equal", lambda results, runs: None)
    monkeypatch.setattr(jobs, "report", lambda measurement, out: rows.extend(measurement.rows))
    jobs.main(rounds=3)
    assert commands == ["first", "1", "2", "2", "1", "1", "2"]
    assert (rows[0]["one after the other, s"], rows[0]["side by side, s"]) == (5.0, 3.0)


@pytest.mark.slow
def test_the_command_compares_whole_commands(tmp_path):
    app = typer.Typer()
    app.command()(jobs.main)
    options = ["--runs", "2", "--model", "last_value", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 0, (result.output, result.exception)
    assert "equal to the last bit" in (tmp_path / "jobs.md").read_text()
