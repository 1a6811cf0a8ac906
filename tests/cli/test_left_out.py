"""Data sets that cannot be read, on the command line: the others go on, and it is said and told by the exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, environment, stbench
from kills import alive, gone
from typer.testing import CliRunner, Result

import bench
from bench.catalog import data, own_files
from bench.cli.app import app
from bench.errors import DataError
from bench.records.store import ResultStore

ENDLESS = """
import os, subprocess, sys, time
from bench.types import DatasetCard

CARD = DatasetCard(
    name="mine", title="Mine", city="", domain="", grid=(1, 2), interval=30, start=None, slots=96,
    channels=("value",), unit="", licence="", citation="", homepage="", how_to_get="", formats=(), files=(),
)
VERSION = 1

def read(folder): ...

def make():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    print(os.getpid(), child.pid, flush=True)
    time.sleep(1000)
"""
TORN = "CARD = None\n\ndef read(folder): ...\n"


@pytest.fixture
def torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set's file that declares no card."""
    monkeypatch.setenv(own_files.VARIABLE, "")
    file = tmp_path / "torn.py"
    file.write_text(TORN, encoding="utf-8")
    return file


@pytest.fixture
def own_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set's file whose reader says which processes there are and never returns."""
    monkeypatch.setenv(own_files.VARIABLE, "")
    file = tmp_path / "mine.py"
    file.write_text(ENDLESS, encoding="utf-8")
    return file


@pytest.fixture
def words(tiny: Path, tmp_path: Path) -> list[str]:
    """Options of a cheap run on ``tiny``."""
    places = ["--data-dir", str(tiny), "--results", str(tmp_path / "results")]
    return ["--dataset", "tiny", "--model", "last_value", *places]


def answer(*words: str) -> Result:
    return CliRunner().invoke(app, [*words], env=environment(1000))


def test_a_run_says_what_it_leaves_out_before_and_behind_the_others_and_ends_with_1(
    torn: Path, words: list[str], tmp_path: Path
) -> None:
    ran = stbench("run", "--no-track", "--dataset", torn, *words)
    sentence = f"left out: torn: CARD in {torn} is no bench.types.DatasetCard; make it one"
    lines = ran.stdout.splitlines()
    assert (lines[0], lines[-1], lines.count(sentence)) == (sentence, sentence, 2)
    assert "1 done, 0 already there, 0 failed; tables" in ran.stdout
    assert (ran.returncode, ran.stderr) == (1, "")
    assert [record.dataset for record in ResultStore(tmp_path / "results").records()] == ["tiny"]
    assert (tmp_path / "results" / "tables" / "short_term.md").is_file()


def test_where_none_can_be_read_it_is_one_sentence_and_nothing_is_written(torn: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(TORN, encoding="utf-8")
    results = tmp_path / "results"
    ran = stbench("run", "--no-track", "--dataset", torn, "--dataset", other, "--results", results)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"error: CARD in {torn} is no bench.types.DatasetCard; make it one\n"
    assert not results.exists()


@pytest.mark.parametrize("more", [("status",), ("run", "--dry-run", "--no-track")])
def test_what_only_looks_says_so_too_and_ends_with_1(more: tuple[str, ...], torn: Path, words: list[str]) -> None:
    whole = answer(*more, *words)
    assert (whole.exit_code, "left out" in whole.output) == (0, False)
    part = answer(*more, "--dataset", str(torn), *words)
    assert part.exit_code == 1
    assert f"left out: torn: CARD in {torn} is no" in part.output
    assert "1 run" in part.output


def test_the_json_of_a_status_names_what_is_left_out(torn: Path, words: list[str]) -> None:
    before = answer("status", "--json", *words)
    assert json.loads(before.stdout)["left_out"] == {}
    assert "there is no results folder" in before.stderr
    part = answer("status", "--json", "--dataset", str(torn), *words)
    assert part.exit_code == 1
    assert json.loads(part.stdout)["left_out"] == {"torn": f"CARD in {torn} is no bench.types.DatasetCard; make it one"}


@pytest.mark.parametrize("command", [("run",), ("run", "--dry-run"), ("tune",)])
@pytest.mark.parametrize(("words", "limit"), [(("--time-limit", "7"), 7.0), ((), None)])
def test_the_time_limit_of_runs_and_trials_is_that_of_a_reader_too(
    own_reader: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    words: tuple[str, ...],
    limit: float | None,
) -> None:
    def read(name: str, source: Path, data_dir: Path | None, cache: Path, seconds: float | None) -> None:
        raise DataError(f"{name} had {seconds}")

    monkeypatch.setattr(data, "fill_cache_apart", read)
    asked = ("--dataset", str(own_reader), "--model", "stid", "--no-track", "--results", str(tmp_path / "results"))
    assert str(answer(*command, *words, *asked).exception) == f"mine had {limit}"
    monkeypatch.setenv(own_files.VARIABLE, "")
    with pytest.raises(DataError, match=f"^mine had {limit}$"):
        bench.run(models=["stid"], datasets=[str(own_reader)], results=tmp_path / "results", time_limit=limit)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_reader_works_ends_it_and_all_it_has_started(
    own_reader: Path, tmp_path: Path, sign: signal.Signals
) -> None:
    asked = ("--dataset", str(own_reader), "--model", "stid", "--no-track", "--results", str(tmp_path / "results"))
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *asked],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stderr is not None
        started = [int(number) for number in process.stderr.readline().split()]
        assert [alive(number) for number in started] == [True, True]
        process.send_signal(sign)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "stopped; what is finished is kept, and the same command goes on from here\n"
    assert gone(started) == []


def test_a_name_that_is_unknown_stops_a_command_beside_what_cannot_be_read(torn: Path, words: list[str]) -> None:
    ran = stbench("run", "--no-track", "--dataset", torn, "--dataset", "tinny", *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: there is no data set named 'tinny'; did you mean 'tiny'?")
