"""Whole suites run from the command line: what they write, and how they fail, stop, go on and share their work."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from commands import ROOT, environment, stbench

from bench.analysis.results import artefacts
from bench.records.store import ResultStore

BUDGET = ["--set", "train.epochs=4", "--set", "train.steps_per_epoch=4", "--set", "train.batch_size=8", "--no-track"]
MODELS = ["--model", "last_value", "--model", "historical_average", "--model", "stid"]


def start(*arguments):
    def heed_interrupts():  # which a shell turns off in what it runs in the background
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=heed_interrupts,
    )


def reached(results, wanted):
    """Whether so many records, or a file of this pattern, are there."""
    if isinstance(wanted, str):
        return any(results.glob(wanted))
    return len(list(results.glob("runs/*/*/*.json"))) >= wanted


def tables(results):
    return {path.name: path.read_bytes() for path in (results / "tables").iterdir()}


def unmeasured(results):
    """The tables but for that of seconds, which are never the same."""
    found = tables(results)
    return {name: text for name, text in found.items() if not name.startswith("efficiency")}


@pytest.fixture
def suite(tiny, tmp_path):
    """A command that runs three models on two tiny data sets into a results folder."""

    def command(results):
        names = ["--dataset", "tiny", "--dataset", "tiny2"]
        return ["run", *names, *MODELS, *BUDGET, "--data-dir", tiny, "--results", tmp_path / results]

    return command


def test_cuda_without_cuda_is_an_error_and_never_the_cpu(suite):
    answer = stbench(*suite("results"), "--device", "cuda:63")
    assert answer.returncode == 2
    assert "cuda:63" in answer.stderr


@pytest.mark.slow
def test_run_writes_records_and_tables_and_a_second_run_does_nothing(suite, tmp_path):
    first = stbench(*suite("results"))
    assert first.returncode == 0, first.stdout + first.stderr
    lines = first.stdout.strip().splitlines()
    assert "ranks mean nothing" in lines[0]
    assert lines[-1].startswith("For real numbers: the same command with --profile laptop ")
    assert f"all of it in one file to read: python -m bench report --results {tmp_path / 'results'}" in lines
    assert "6 done, 0 already there, 0 failed" in first.stdout
    assert sum("✓" in line for line in lines) == 6
    before = tables(tmp_path / "results")
    names = {"short_term", *artefacts("tables")} - {"tuning_ledger"}  # nothing is tuned
    assert set(before) == {f"{name}.{kind}" for name in names for kind in ("md", "tex", "csv")}
    second = stbench(*suite("results"))
    assert second.returncode == 0
    assert "0 done, 6 already there, 0 failed" in second.stdout
    assert "runs to do" not in second.stdout
    assert tables(tmp_path / "results") == before
    assert stbench("tables", "--check", "--results", tmp_path / "results").returncode == 0
    third = stbench(*suite("results"), "--seed", "1").stdout.splitlines()
    (told,) = [number for number, line in enumerate(third) if line.startswith("6 runs to do, about ")]
    assert told < min(number for number, line in enumerate(third) if "✓" in line)
    (tmp_path / "results" / "tables" / "short_term.md").write_text("edited", encoding="utf-8")
    assert stbench("tables", "--check", "--results", tmp_path / "results").returncode == 1


VARIANTS = """
name = "mine"
title = "Mine"
tasks = ["short"]
protocol = "strict"
datasets = ["tiny"]
models = ["last_value"]
references = ["narrow"]
question = "Does width help?"

[[variants]]
name = "narrow"
model = "stid"

[[variants]]
name = "wide"
model = "stid"
settings = { width = 64 }
"""


@pytest.mark.slow
def test_a_suite_of_variants_ends_in_its_own_table_and_figure(tmp_path, tiny):
    (tmp_path / "mine.toml").write_text(VARIANTS, encoding="utf-8")
    places = ["--data-dir", tiny, "--results", tmp_path / "results"]
    plan = ["--suite", tmp_path / "mine.toml", *BUDGET[:-1], *places]
    answer = stbench("run", *plan, "--no-track", "--seed", "0", "--seed", "1")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "tables/mine.md" in answer.stdout
    assert "figures/mine-1.png" in answer.stdout
    assert "tiny / wide / seed 1" in answer.stdout
    text = (tmp_path / "results" / "tables" / "mine.md").read_text(encoding="utf-8")
    assert "Does width help? Difference from “narrow”." in text
    assert "all with train.batch_size=8, train.epochs=4, train.steps_per_epoch=4" in text
    status = stbench("status", *plan)
    assert all(name in status.stdout for name in ("narrow", "wide", "3 done"))
    one = stbench("run", *plan, "--no-track", "--variant", "wide", "--seed", "0")
    assert "0 done, 1 already there, 0 failed" in one.stdout
    figures = tmp_path / "results" / "figures"
    drawn = (figures / "mine-1.png").read_bytes()
    (figures / "mine-1.png").unlink()
    again = stbench("plots", tmp_path / "mine.toml", "--results", tmp_path / "results")
    assert again.stdout.splitlines() == [str(figures / f"mine-1.{kind}") for kind in ("png", "pdf", "tex")]
    assert (figures / "mine-1.png").read_bytes() == drawn


TUNED = """
name = "mine"
title = "Mine, tuned"
tasks = ["short"]
protocol = "strict"
datasets = ["tiny"]
models = ["last_value"]
tuned = true

[[variants]]
name = "shallow"
model = "stid"
settings = { layers = 1 }

[[variants]]
name = "as it is"
model = "stid"
"""


@pytest.mark.slow
def test_a_suite_of_tuned_runs_is_tuned_and_run_by_its_name_and_mlflow_tells_the_same(tmp_path, tiny):
    (tmp_path / "mine.toml").write_text(TUNED, encoding="utf-8")
    results, other = tmp_path / "results", tmp_path / "other"
    plan = ["--suite", tmp_path / "mine.toml", "--data-dir", tiny, "--results", results, *BUDGET[:-1]]
    both = [start("tune", *plan, "--trials", "5") for _ in range(2)]
    answers = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert all("2 studies, 5 trials each" in answer for answer in answers)
    assert stbench("tune", *plan, "--trials", "6").returncode == 0
    answer = stbench("run", *plan, "--no-track")
    assert answer.returncode == 0, answer.stderr
    table = (results / "tables" / "mine.md").read_text(encoding="utf-8")
    assert "# Mine, tuned" in table
    assert "tuned settings" in table
    assert all(name in table for name in ("shallow", "as it is", "Last value"))
    assert "0 studies of tuning added, 2 were there" in stbench("sync", "--results", results).stdout
    with closing(sqlite3.connect(results / "mlflow.db")) as connection:
        numbers = connection.execute("select value from tags where key = 'stbench.trial'").fetchall()
    assert sorted(numbers) == [(str(number),) for number in range(6) for _ in range(2)]
    source = ["--from", f"mlflow:sqlite:///{results / 'mlflow.db'}", "--results", other]
    assert stbench("plots", "tuning", *source).returncode == 0
    assert stbench("tables", "tuning_ledger", *source).returncode == 0
    assert stbench("tables", "tuning_ledger", "--check", *source).returncode == 0
    for path in [*other.glob("tables/*"), *other.glob("figures/*")]:
        assert path.read_bytes() == (results / path.relative_to(other)).read_bytes()
    assert sorted(path.name for path in other.glob("*/*")) == [
        *(f"tuning-tiny-{name}.{kind}" for name in ("stid", "stid@layers-1") for kind in ("pdf", "png", "tex")),
        *(f"tuning_ledger.{kind}" for kind in ("csv", "md", "tex")),
    ]


@pytest.mark.slow
def test_a_failed_run_is_exit_code_1_and_shows_its_reason(suite, tmp_path):
    answer = stbench(*suite("results"), "--set", "train.lr=1e30")
    assert answer.returncode == 1
    assert "4 done, 0 already there, 2 failed" in answer.stdout
    assert "For real numbers" in answer.stdout
    command = [word for word in suite("none") if word not in MODELS]
    none = stbench(*command, "--model", "stid", "--set", "train.lr=1e30").stdout
    assert "0 done, 0 already there, 2 failed" in none
    assert "For real numbers" not in none
    status = stbench("status", *suite("results")[1:-5], "--set", "train.lr=1e30", *suite("results")[-4:])
    assert "2 failed" in status.stdout
    assert "lower train.lr" in status.stdout


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(suite, tmp_path):
    process = start(*suite("results"), "--set", "train.epochs=2000", "--set", "train.patience=2000")
    results = tmp_path / "results"
    while process.poll() is None and not (reached(results, 1) and reached(results, "checkpoints/*.pt")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output = process.communicate()[0]
    assert process.returncode == 130
    assert "the same command goes on from here" in output
    assert "Traceback" not in output
    kept = {record.status for record in ResultStore(results).records()}
    assert kept == {"done"}


@pytest.mark.slow
def test_a_few_shot_suite_shows_its_tasks_apart(suite, tmp_path):
    command = ["--suite", "few_shot", "--dataset", "tiny", "--model", "last_value", "--no-track"]
    answer = stbench("run", *command, "--data-dir", tmp_path / "data", "--results", tmp_path / "results")
    assert answer.returncode == 0, answer.stderr
    assert "tiny few1" in answer.stdout
    assert "tiny few5" in answer.stdout


@pytest.mark.slow
def test_a_dry_run_plans_and_runs_nothing(suite, tmp_path):
    answer = stbench(*suite("results"), "--dry-run")
    assert answer.returncode == 0, answer.stderr
    assert "6 of 6 runs to do, about" in answer.stdout
    laptop = stbench("run", *suite("results")[1:11], *suite("results")[-4:], "--profile", "laptop", "--dry-run")
    assert "18 runs = 2 data sets" in laptop.stdout, laptop.stderr
    assert not (tmp_path / "results" / "runs").exists()


@pytest.mark.slow
def test_a_suite_killed_again_and_again_ends_with_the_same_tables(suite, tmp_path):
    assert stbench(*suite("undisturbed")).returncode == 0
    killed = tmp_path / "killed"
    finished: dict[Path, bytes] = {}
    for wanted in ("checkpoints/*.pt", 2, "checkpoints/*.pt", 4):
        process = start(*suite("killed"))
        while process.poll() is None and not reached(killed, wanted):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        now = {path: path.read_bytes() for path in killed.glob("runs/*/*/*.json")}
        assert finished.items() <= now.items()  # nothing that was finished is repeated or lost
        finished = now
    assert 0 < len(finished) < 6
    last = stbench(*suite("killed"))
    assert last.returncode == 0
    assert f"{len(finished)} already there" in last.stdout
    assert unmeasured(tmp_path / "killed") == unmeasured(tmp_path / "undisturbed")


@pytest.mark.slow
def test_two_suites_at_once_do_every_run_once(suite, tmp_path):
    both = [start(*suite("shared")) for _ in range(2)]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum(output.count("✓") for output in outputs) == 6
    paths = list((tmp_path / "shared").glob("runs/*/*/*.json"))
    assert len(paths) == 6
    assert all(json.loads(path.read_text(encoding="utf-8"))["status"] == "done" for path in paths)
    assert stbench(*suite("alone")).returncode == 0
    assert unmeasured(tmp_path / "shared") == unmeasured(tmp_path / "alone")
