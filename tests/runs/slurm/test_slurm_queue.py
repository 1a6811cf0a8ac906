"""Batches of jobs of Slurm: their folders, what is found of them in the queue, what sbatch is told."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from types import SimpleNamespace

import pytest
from records import record

from bench.errors import ConfigError
from bench.records.store import ResultStore
from bench.runs.executors import Asked, Places, slurm_queue
from bench.runs.executors.slurm_queue import Queue, RefusedError, Seen, Wishes
from bench.runs.session import execute
from bench.runs.under_way import under_way

WISHES = Wishes(minutes=60, gpus=0, cpus=1, at_once=2)
LISTED = "\n".join(
    ("12_0|COMPLETED|stbench-aaa", "12_1|RUNNING|stbench-aaa", "13|PENDING|stbench-bbb", "14|RUNNING|mine", "")
)


@pytest.fixture
def listed(monkeypatch, tmp_path):
    """A results folder with two batches, and what squeue says."""
    answers = [SimpleNamespace(stdout=LISTED)]

    def run(command, **_):
        if command[0] == "squeue" and isinstance(answers[-1], Exception):
            raise answers[-1]
        return answers[-1]

    monkeypatch.setattr(subprocess, "run", run)
    for batch, runs in (("aaa", '["one", "two"]'), ("bbb", '["one"]'), ("ccc", '["three"]')):
        (tmp_path / "slurm" / batch).mkdir(parents=True)
        (tmp_path / "slurm" / batch / "runs.json").write_text(runs)
    return Queue(tmp_path, WISHES), answers


def test_runs_are_found_in_the_queue_by_the_names_of_their_batches(listed):
    queue, _ = listed
    assert {run_id: (seen.job, seen.state) for run_id, seen in queue.look().items()} == {
        "one": ("13", "PENDING"),  # and not the job that is over
        "two": ("12_1", "RUNNING"),
    }


def test_status_tells_apart_which_runs_are_made_and_which_are_queued(listed, tmp_path):
    _, answers = listed
    with ResultStore(tmp_path).lock(made := f"{'0' * 16}.{'0' * 12}"):
        assert under_way(tmp_path) == {"one": "queued", "two": "running", made: "running"}
    answers.append(subprocess.CalledProcessError(1, "squeue"))
    assert under_way(tmp_path) == {}


def test_of_the_jobs_of_a_run_that_are_over_the_last_is_found(listed):
    queue, answers = listed
    for lines in ("9_0|FAILED|stbench-aaa\n13|CANCELLED|stbench-bbb", "13_0|FAILED|stbench-aaa\n9|FAILED|stbench-bbb"):
        answers.append(SimpleNamespace(stdout=lines))
        assert queue.look()["one"].job.startswith("13")


def test_a_queue_that_does_not_answer_is_not_an_empty_one(listed, tmp_path):
    queue, answers = listed
    answers.append(subprocess.CalledProcessError(1, "squeue"))
    assert queue.look() is None
    queue.tidy()
    assert len(list((tmp_path / "slurm").glob("*/"))) == 3


def test_a_squeue_and_a_scancel_that_hang_are_given_up(monkeypatch, tmp_path):
    for name in ("squeue", "scancel"):
        (tmp_path / name).write_text("#!/bin/sh\nexec sleep 4\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(slurm_queue, "ANSWER_S", 0.3)
    queue = Queue(tmp_path / "results", WISHES)
    assert queue.look() is None
    assert not queue.cancel([Seen(job="7", state="RUNNING", batch="b")])
    (tmp_path / "scancel").write_text("#!/bin/sh\n")
    assert queue.cancel([Seen(job="7", state="RUNNING", batch="b")])


@pytest.mark.parametrize(
    ("complaints", "done"),
    [
        (["scancel: error: Kill job error on job id 7: Unable to contact slurm controller (connect failure)"], False),
        (["scancel: error: Kill job error on job id 7: Invalid job id specified"], True),
        (["scancel: error: Invalid job id 7", "scancel: error: Job/step already completing or completed"], True),
        (["scancel: error: Invalid job id 7", "scancel: error: Access/permission denied"], False),
        ([], False),
    ],
)
def test_a_scancel_that_fails_has_cancelled_what_is_not_over_already(monkeypatch, tmp_path, complaints, done):
    said = "".join(f"echo '{line}' >&2\n" for line in complaints)
    (tmp_path / "scancel").write_text(f"#!/bin/sh\n{said}exit 1\n")
    (tmp_path / "scancel").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert Queue(tmp_path / "results", WISHES).cancel([Seen(job="7", state="RUNNING", batch="b")]) is done


def test_every_call_of_scancel_is_made_though_one_fails(monkeypatch, tmp_path):
    (tmp_path / "scancel").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" != 0 ]\n')
    (tmp_path / "scancel").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(slurm_queue, "IDS_A_CALL", 2)
    jobs = [Seen(job=str(number), state="RUNNING", batch="b") for number in range(4)]
    assert not Queue(tmp_path / "results", WISHES).cancel(jobs)
    assert (tmp_path / "asked").read_text() == "0 1\n2 3\n"


def test_without_a_scancel_jobs_are_not_cancelled(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not Queue(tmp_path / "results", WISHES).cancel([Seen(job="7", state="RUNNING", batch="b")])


def test_folders_of_batches_without_a_job_are_removed(listed, tmp_path):
    queue, _ = listed
    queue.tidy()
    assert sorted(folder.name for folder in (tmp_path / "slurm").glob("*/")) == ["aaa", "bbb"]
    assert not list(tmp_path.rglob("*.lock"))


def a_batch(results, folder, *run_ids):
    """The folder of a batch that nobody has in a queue."""
    batch = results / folder / "aaa"
    batch.mkdir(parents=True)
    (batch / "runs.json").write_text(json.dumps(run_ids))
    return batch


def nothing_to_do(results, catalog, **options):
    executor = Asked(name="slurm", places=Places(device="cpu"), options={"local": True, "minutes": 7, **options})
    assert execute([], catalog, results, executor=executor) == Counter(done=0, skipped=0, failed=0)


def test_what_a_killed_command_left_is_removed_by_one_that_has_nothing_to_do(tmp_path, catalog):
    ResultStore(tmp_path).write(done := record())
    left = a_batch(tmp_path, "slurm-local", done.run_id)
    nothing_to_do(tmp_path, catalog)
    assert not left.parent.exists()


def test_the_logs_of_runs_without_a_record_are_kept_where_nothing_is_to_do(tmp_path, catalog):
    ResultStore(tmp_path).write(done := record())
    left = a_batch(tmp_path, "slurm-local", done.run_id, "0123456789abcdef.0123456789ab")
    nothing_to_do(tmp_path, catalog)
    assert left.exists()


def test_jobs_of_slurm_and_those_of_this_machine_are_kept_apart(tmp_path, catalog, listed):
    ResultStore(tmp_path).write(done := record())
    on_cluster, here = (a_batch(tmp_path / "both", folder, *2 * [done.run_id]) for folder in ("slurm", "slurm-local"))
    shutil.copytree(tmp_path / "runs", tmp_path / "both" / "runs")
    nothing_to_do(tmp_path / "both", catalog)
    assert (on_cluster.exists(), here.exists()) == (True, False)
    nothing_to_do(tmp_path / "both", catalog, local=False)  # the queue has a job of this batch
    assert on_cluster.exists()


def test_nothing_is_removed_behind_a_link(tmp_path, catalog):
    elsewhere = a_batch(tmp_path, "elsewhere")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "slurm-local").symlink_to(elsewhere.parent)
    Queue(tmp_path / "results", Wishes(local=True)).tidy()
    assert elsewhere.exists()


def test_a_batch_that_is_refused_leaves_nothing(monkeypatch, tmp_path, capsys):
    import submitit
    from submitit.core.utils import FailedJobError

    complaints = ["sbatch: error: Invalid qos\nspecification", "sbatch: error: invalid partition specified: nope"]

    def refuse(*_):
        print(complaint := complaints.pop(0), file=sys.stderr)
        raise FailedJobError(complaint)

    monkeypatch.setattr(submitit.AutoExecutor, "submit_array", refuse)
    monkeypatch.setattr(submitit.AutoExecutor, "update_parameters", lambda *_, **parameters: None)
    queue = Queue(tmp_path, Wishes(minutes=1, gpus=0, cpus=1, at_once=1, local=True))
    with pytest.raises(RefusedError, match=r"^sbatch: error: Invalid qos specification$"):
        queue.submit([print], ["one"])
    with pytest.raises(RefusedError, match=r"specified: nope; 'sinfo' lists the partitions$"):
        queue.submit([print], ["one"])
    assert capsys.readouterr().err == ""  # it is said once, by the error
    assert list((tmp_path / "slurm-local").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "slurm-local").stat().st_mode) == 0o700


def test_a_job_may_use_up_its_time_as_often_as_is_said(monkeypatch, tmp_path):
    import submitit

    asked = []
    monkeypatch.setattr(submitit.AutoExecutor, "__init__", lambda *_, **given: asked.append(given))
    monkeypatch.setattr(submitit.AutoExecutor, "update_parameters", lambda *_, **parameters: None)
    monkeypatch.setattr(submitit.AutoExecutor, "submit_array", lambda *_: [SimpleNamespace(job_id="7_0")])
    (seen,) = Queue(tmp_path, WISHES).submit([print], ["one"])
    assert (seen.job, seen.over) == ("7_0", False)
    assert asked == [{"cluster": "slurm", "slurm_max_num_timeout": 20}]


def test_what_is_wished_becomes_what_sbatch_is_told(tmp_path):
    wishes = Wishes(
        partition="fast", minutes=90, gpus=1, cpus=2, at_once=8, options={"account": "me", "gres": "shard:1"}
    )
    parameters = Queue(tmp_path, wishes)._parameters("abc")
    assert parameters == {
        "name": "stbench-abc",
        "timeout_min": 90,
        "cpus_per_task": 2,
        "gpus_per_node": 1,
        "slurm_partition": "fast",
        "slurm_array_parallelism": 8,
        "slurm_additional_parameters": {"account": "me", "gres": "shard:1"},
    }
    from submitit.slurm.slurm import _make_sbatch_string

    renamed = {"job_name": "stbench-abc", "time": 90, "cpus_per_task": 2, "gpus_per_node": 1, "partition": "fast"}
    text = _make_sbatch_string("run", tmp_path, **renamed, map_count=20, array_parallelism=8)
    assert {"#SBATCH --array=0-19%8", "#SBATCH --time=90", "#SBATCH --partition=fast"} <= set(text.splitlines())


def test_a_folder_of_jobs_that_belongs_to_somebody_else_is_refused_and_ones_own_is_private(tmp_path, monkeypatch):
    (tmp_path / "slurm").mkdir(mode=0o777)
    monkeypatch.setattr(os, "getuid", lambda: -1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        Queue(tmp_path, WISHES).submit([print], ["one"])
    monkeypatch.undo()
    assert list((tmp_path / "slurm").iterdir()) == []
    Queue(tmp_path, WISHES)._own_folder()
    assert stat.S_IMODE((tmp_path / "slurm").stat().st_mode) == 0o700
