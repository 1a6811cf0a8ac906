"""A command that is watched from outside, and the phases that its lines, files and records show."""

from __future__ import annotations

import os
import sys

import pytest
import typer
from msgspec.structs import replace
from records import record
from typer.testing import CliRunner

from bench.errors import WorkerError
from bench.perf import first_command
from bench.perf._watched import PROC, Watched, watched
from bench.records.store import ResultStore

BURN = "import time\nwhile time.process_time() < 0.6: pass\nprint(time.process_time())"
PARENT = f"""
import subprocess, sys, time
subprocess.run([sys.executable, "-c", {BURN!r}])
print("over")
time.sleep(0.3)
"""


def results_at(folder, ends, wall=10.0):
    """Records that were written at these times and took so many seconds, and a table that came after them."""
    for seed, end in enumerate(ends):
        made = record(seed=seed)
        ResultStore(folder).write(replace(made, cost=replace(made.cost, wall_s=wall, train_s=7.0)))
        (file,) = folder.glob(f"runs/*/*/{made.run_id}.json")
        os.utime(file, (end, end))
    (folder / "tables").mkdir()
    (folder / "tables" / "short_term.md").write_text("")
    os.utime(folder / "tables" / "short_term.md", (150, 150))
    return folder


def test_phases_go_from_line_to_run_to_file_and_leave_no_second_out(tmp_path):
    seen = Watched(started=100, ended=160, lines=[(101, "quick"), (103, "Short: 2 runs = 1 x 2")], looks=[])
    found = first_command.phases(seen, results_at(tmp_path, [120, 140]))
    assert [(phase.start, phase.stop) for phase in found] == [
        (100, 103),
        (103, 110),
        (110, 140),
        (140, 150),
        (150, 160),
    ]
    assert found[2].name == "runs"


def test_a_command_that_tells_no_plan_has_one_phase_less(tmp_path):
    seen = Watched(started=100, ended=160, lines=[], looks=[])
    found = first_command.phases(seen, results_at(tmp_path, [120]))
    assert [(phase.start, phase.stop) for phase in found][:2] == [(100, 110), (110, 120)]


def test_the_runs_are_summed_one_by_one(tmp_path):
    rows = list(first_command.rows_of_runs(results_at(tmp_path, [120, 140])))
    assert [(row["phase"], row["seconds"]) for row in rows] == [
        ("training and validation", 14.0),
        ("scoring, audit and all else", 6.0),
    ]


def test_a_whole_command_is_held_against_what_is_wanted():
    seen = Watched(started=100, ended=103, lines=[], looks=[(101, 0.5), (102.9, 2.5)])
    (row,) = first_command.rows_of("second", seen, [], 2)
    assert (row["seconds"], row["of all cores"], row["wanted"], row["holds"]) == (3, 2.5, "at most 2", False)


def test_seconds_of_all_cores_are_those_between_two_looks():
    seen = Watched(started=0, ended=9, lines=[], looks=[(1, 0.5), (2, 1.5), (3, 4.0)])
    assert [seen.busy(0, 2), seen.busy(2, 3.5), seen.busy(0, 0.5)] == [1.5, 2.5, 0]
    assert Watched(started=0, ended=9, lines=[], looks=[]).busy(0, 2) is None


@pytest.mark.skipif(not PROC.is_dir(), reason="looks need /proc")
def test_what_a_child_of_a_command_takes_is_counted():
    seen = watched([sys.executable, "-c", PARENT])
    (_, burnt), (end, over) = seen.lines
    assert over == "over"
    assert seen.started < end < seen.ended
    assert seen.busy(seen.started, seen.ended) > 0.9 * float(burnt)


def test_a_command_that_fails_is_not_watched():
    with pytest.raises(WorkerError, match="exit code 3: no luck"):
        watched([sys.executable, "-c", "print('no luck'); raise SystemExit(3)"])


@pytest.mark.slow
def test_the_command_has_the_phases_of_a_first_command_and_a_second(tmp_path):
    app = typer.Typer()
    app.command()(first_command.main)
    asked = ["--", "--model", "last_value", "--dataset", "bikenyc"]
    result = CliRunner().invoke(app, ["--out", str(tmp_path), *asked])
    assert result.exit_code == 0, (result.output, result.exception)
    rows = [line.split(" | ")[:2] for line in (tmp_path / "first_command.md").read_text().splitlines()[4:]]
    names = [words[1] for words in rows if words[0] == "| first"]
    assert names[0] == "imports, plan and data"
    assert {"runs", "tables and figures", "all"} <= set(names)
    assert ["| second", "all"] in rows
