"""Runs from the command line on engines of several machines, with what is killed on the way."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from clusters import small_plan
from commands import ROOT, environment, stbench
from kills import gone, jobs_of, left_behind, workers_of
from typer.testing import CliRunner

from bench.cli.app import app
from bench.cli.console import ConsoleObserver
from bench.cli.execution import _pairs
from bench.cli.terminal import Console
from bench.cli.tune import TrialOptions
from bench.errors import ConfigError
from bench.records.record import DoneRun
from bench.records.store import ResultStore

BUDGET = ["--set", "train.epochs=12", "--set", "train.steps_per_epoch=4", "--set", "train.batch_size=8", "--no-track"]


def scored(results):
    """Of records what is no second and no megabyte."""
    found = {}
    for record in ResultStore(results).records():
        assert isinstance(record, DoneRun), record.error
        measured = (record.scores, record.windows, record.audit, record.inputs, record.curve, record.environment)
        found[record.run_id] = measured
    return found


@pytest.fixture
def words(tiny):
    """What a command says of two small runs."""
    names = ["--model", "stid", "--dataset", "tiny", "--dataset", "tiny2"]
    return lambda results: ["run", *names, *BUDGET, "--data-dir", str(tiny), "--results", str(results)]


@pytest.mark.slow
@pytest.mark.parametrize("executor", [["ray"], ["slurm", "--slurm-local"]], ids=["ray", "slurm"])
def test_a_worker_that_is_killed_costs_one_more_try_and_the_records_are_those_of_one_process(words, tmp_path, executor):
    there, here = tmp_path / "there", tmp_path / "here"
    command = [sys.executable, "-m", "bench", *words(there), "--jobs", "2", "--executor", *executor]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    while not any(there.glob("checkpoints/*.pt")) and process.poll() is None:
        time.sleep(0.02)
    os.kill(workers_of(process.pid, there)[-1], signal.SIGKILL)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "2 done, 0 already there, 0 failed" in output
    assert stbench(*words(here), "--jobs", "1").returncode == 0
    assert scored(there) == scored(here)
    assert left_behind(there) == []
    assert gone(jobs_of(there)) == []


def test_a_plan_for_a_cluster_is_looked_at_without_it_and_says_no_time_of_this_machine(words, tmp_path):
    for executor in (["slurm"], ["ray", "--ray-address", "nowhere:1"]):
        result = stbench(*words(tmp_path / "results"), "--dry-run", "--executor", *executor)
        assert result.returncode == 0, result.stderr
        assert "2 of 2 runs to do; how long that takes elsewhere is not known: without --executor" in result.stdout
        assert "on this machine" not in result.stdout


def test_a_name_or_number_that_is_none_is_told_before_any_data_are_read(tmp_path):
    for option, message in (("--jobs=x", "--jobs x, or jobs=x, is neither"), ("--executor=x", "no executor named 'x'")):
        for command in ("run", "tune"):
            words = ("--dataset", "nothing", "--no-track", "--results", str(tmp_path / "results"), option)
            result = stbench(command, *words)
            assert result.returncode == 2
            assert message in result.stderr


def test_an_option_of_another_executor_is_refused(words, tmp_path):
    for option in ("--ray-address=host:1", "--slurm-time=5", "--slurm-local"):
        result = stbench(*words(tmp_path / "results"), option)
        assert result.returncode == 2
        assert f"{option.partition('=')[0]} is an option of --executor {option[2:].partition('-')[0]}" in result.stderr
    result = stbench(*words(tmp_path / "results"), "--executor", "slurm", "--slurm-local", "--slurm-option", "=me")
    assert "--slurm-option =me is not understood; write NAME=VALUE, such as account=me" in result.stderr


def test_an_option_of_sbatch_may_have_no_value() -> None:
    assert _pairs(["exclusive", "--mem-per-cpu=4G"]) == {"exclusive": True, "mem-per-cpu": "4G"}


def test_on_slurm_tuning_wants_a_number_of_trials_side_by_side_and_a_command_that_stays(tmp_path) -> None:
    with pytest.raises(ConfigError, match="give one, such as --jobs 4"):
        TrialOptions(executor="slurm", jobs="auto").asked("cpu", print)
    result = CliRunner().invoke(app, ["tune", "--all", "--executor", "slurm", "--slurm-detach"])
    assert result.exit_code == 2
    assert "No such option" in result.output


@pytest.mark.parametrize("force", [False, True])
def test_detached_runs_are_told_of_instead_of_tables(words, tmp_path, monkeypatch, force) -> None:
    monkeypatch.setattr("bench.cli.run._execute", lambda *_, **__: Counter(done=0, skipped=1, failed=0))
    monkeypatch.setattr("bench.cli.output.write_both", lambda *_: pytest.fail("tables"))
    given = ["--executor", "slurm", "--slurm-local", "--slurm-detach", *(["--force"] if force else [])]
    output = CliRunner().invoke(app, [*words(tmp_path), *given]).output
    assert f"1 queued; the same command without --slurm-detach{' and --force' if force else ''} follows them" in output


def test_a_run_whose_worker_died_is_tried_once_more_and_not_said_to_begin_anew(catalog) -> None:
    out = io.StringIO()
    (run, _) = small_plan(catalog, "last_value")
    ConsoleObserver(Console(file=out, width=200), 2).run_retried(run, "the job 7 ended as TIMEOUT")
    assert out.getvalue() == "tiny / last_value / seed 0 is tried once more: the job 7 ended as TIMEOUT\n"
