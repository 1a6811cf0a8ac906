"""What a worker leaves behind, and what becomes of it when the command is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import ROOT, environment
from kills import alive, gone

from bench.runs import ends

DRIVER = """
import multiprocessing, subprocess, sys, threading, time
from bench.runs.ends import begin_group, end_with_parent

def work(file):
    begin_group()
    threading.Thread(target=end_with_parent, daemon=True).start()
    child = subprocess.Popen(["sleep", "98765"], start_new_session=True)
    with open(file, "w") as begun:
        begun.write(f"{multiprocessing.current_process().pid} {child.pid}\\n")
    time.sleep(600)

if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=work, args=(sys.argv[1],)).start()
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="which processes a process has started is read in /proc")
def test_what_a_worker_started_in_a_session_of_its_own_ends_when_the_command_is_killed(tmp_path: Path) -> None:
    begun, script = tmp_path / "begun", tmp_path / "driver.py"
    script.write_text(DRIVER, encoding="utf-8")
    env = {**environment(), "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
    with subprocess.Popen([sys.executable, str(script), str(begun)], env=env) as driver:
        end = time.monotonic() + 60
        while not (begun.exists() and begun.read_text(encoding="utf-8").endswith("\n")):
            assert time.monotonic() < end
            time.sleep(0.05)
        started = [int(word) for word in begun.read_text(encoding="utf-8").split()]
        assert all(map(alive, started))
        driver.kill()
    assert gone(started) == []


def test_what_a_child_starts_while_it_is_looked_at_is_ended_too(monkeypatch):
    told = []
    looks = {1: iter([[2], [2, 3]]), 2: iter([[], []]), 3: iter([[], []])}  # 2 starts 3 and leaves it to 1
    monkeypatch.setattr(ends, "_children", lambda of: told.append(("looked", of)) or next(looks[of], []))
    monkeypatch.setattr(ends.os, "kill", lambda child, sign: told.append((sign, child)))
    ends.end_children(1)
    assert told.index((signal.SIGSTOP, 2)) < told.index(("looked", 2)) < told.index((signal.SIGKILL, 2))
    assert (signal.SIGKILL, 3) in told
