"""Several syncs, and a run beside them, of one results folder."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing

import pytest
from commands import ROOT, environment
from records import record

from bench.records.store import ResultStore


@pytest.mark.slow
def test_two_syncs_and_two_runs_at_once_log_every_run_once(tmp_path, tiny):
    results = tmp_path / "results"
    for seed in range(12):
        ResultStore(results).write(record(seed=seed))
    plan = ["--model", "last_value", "--model", "window_mean", "--dataset", "tiny", "--data-dir", str(tiny)]
    words = [["sync"], ["run", *plan], ["sync"], ["run", *plan]]
    commands = [[sys.executable, "-m", "bench", *word, "--results", str(results)] for word in words]
    at_work = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for command in commands
    ]
    answers = [process.communicate(timeout=300)[0] for process in at_work]
    assert [process.returncode for process in at_work] == [0, 0, 0, 0], "\n".join(answers)
    subprocess.run(commands[0], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    with closing(sqlite3.connect(results / "mlflow.db")) as connection:
        query = (
            "select tags.value from tags join runs using (run_uuid) "
            "where tags.key = 'stbench.run_id' and runs.lifecycle_stage = 'active'"
        )
        logged = Counter(value for (value,) in connection.execute(query))
        states = {state for (state,) in connection.execute("select status from runs where lifecycle_stage = 'active'")}
    assert logged == Counter({one.run_id: 1 for one in ResultStore(results).records()})
    assert states == {"FINISHED"}
