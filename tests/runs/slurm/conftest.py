"""A fake queue of Slurm, and runs for it."""

from __future__ import annotations

import contextlib

import pytest
from clusters import works

from bench.records.store import ResultStore
from bench.runs.execution import failed_record, failure_of
from bench.runs.executors import on_slurm
from bench.runs.executors.slurm_job import Job
from bench.runs.executors.slurm_queue import RefusedError, Seen, Wishes

WISHES = Wishes(minutes=60, gpus=0, cpus=1, at_once=2)


class FakeQueue:
    """A queue that takes ``most`` jobs, and in which each look is one step on: pending, running, over."""

    def __init__(self, store=None, most=1000, runs=(), ends=lambda run_id, attempt: "COMPLETED"):
        self.batches, self.cancelled, self._ends, self._store, self._most = [], [], ends, store, most
        self._attempts, self._ages = {}, {}
        self.name = "slurm"
        self.silent, self.looks, self.tidied = (), 0, 0  # of which looks there is no answer
        self._calls = {}
        for run_id in runs:
            self._add(run_id, lambda: None)

    def __call__(self, results, wishes):
        return self

    def alone(self):
        return contextlib.nullcontext()

    def _add(self, run_id, call):
        self._ages[run_id], self._calls[run_id] = 0, call
        self._attempts[run_id] = self._attempts.get(run_id, 0) + 1

    def _state(self, run_id):
        age = self._ages[run_id]
        self._ages[run_id] += 1
        if age < 2:
            return "PENDING"
        if age < 4:
            return "RUNNING"
        end = self._ends(run_id, self._attempts[run_id])
        if age == 4 and end == "COMPLETED":
            self._calls[run_id]()
        return end

    def look(self):
        self.looks += 1
        if self.looks in self.silent:
            return None
        return {run_id: Seen(job="7_0", state=self._state(run_id), batch="b") for run_id in list(self._ages)}

    def submit(self, calls, run_ids):
        alive = sum(age < 5 for age in self._ages.values())
        if len(run_ids) + alive > self._most:
            raise RefusedError("QOSMaxSubmitJobPerUserLimit")
        self.batches.append(list(run_ids))
        for call, run_id in zip(calls, run_ids, strict=True):
            self._add(run_id, call)
        return [Seen(job="7_0", state="PENDING", batch="b") for _ in run_ids]

    def cancel(self, jobs):
        self.cancelled += list(jobs)
        return True

    def tidy(self):
        self.tidied += 1


@pytest.fixture
def queue_of(monkeypatch):
    """An executor before a fake queue, that looks without a pause."""

    def make(**choices):
        queue = FakeQueue(**choices)
        monkeypatch.setattr(on_slurm, "Queue", queue)
        monkeypatch.setattr(on_slurm, "PAUSES_S", (0, 0))
        monkeypatch.setattr(on_slurm, "LATE_S", (0, 0))
        said = []
        return queue, on_slurm.OnSlurm(2, "cpu", WISHES, said.append), said

    return make


@pytest.fixture
def stored(monkeypatch):
    """Jobs that store a failed record, which is quick."""

    def call(job):
        run = job.work.run
        ResultStore(job.work.results).write(failed_record(run, failure_of(ValueError("made by a job"))))

    monkeypatch.setattr(Job, "__call__", call)


@pytest.fixture
def given(catalog, tmp_path):
    return works(catalog, tmp_path / "results", "last_value", "window_mean")
