"""Runs on a Ray cluster: the records of one process, whatever the machines see of each other."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from clusters import works

from bench.errors import ConfigError, MissingPackageError
from bench.runs.ends import End
from bench.runs.executors import Places, make_executor, on_ray
from bench.runs.executors.ray_task import BEGUN, WANTS_DATA, helped, in_memory, made
from bench.runs.worker import record_text


@pytest.fixture
def task(catalog, tmp_path):
    (work,) = works(catalog, tmp_path / "results", "last_value", datasets=("tiny",))
    return work


@pytest.fixture
def told(monkeypatch):
    """What a task says, its run being made in this process."""
    monkeypatch.setattr(
        "bench.runs.executors.ray_task.carry_out",
        lambda work, threads: [End("answer", (work, record_text(work, SimpleNamespace(row=print, call=None))))],
    )
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda kept: kept))
    return lambda work, data=(): list(made(work, list(data), 1, {}))


def lock(work):
    file = work.results / "locks" / f"{work.run.run_id}.lock"
    file.parent.mkdir(parents=True)
    file.touch()


def test_a_machine_that_does_not_see_the_results_folder_wants_the_data_sent_and_leaves_nothing(task, told, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert told(task) == [WANTS_DATA]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_machine_with_the_results_folder_and_other_data_wants_the_data_sent(task, told, tmp_path):
    lock(task)
    elsewhere = replace(task.catalog, data_dir=tmp_path / "absent")
    assert told(replace(task, catalog=elsewhere)) == [WANTS_DATA]


def test_a_machine_that_sees_everything_goes_on_from_the_checkpoint_in_the_results_folder(task, told):
    lock(task)
    begun, end = told(task)
    assert begun == BEGUN
    assert end.value[0].checkpoint == task.checkpoint


def test_data_that_were_sent_make_the_same_run_without_a_file(task, told, tmp_path):
    lock(task)
    seen = told(task)[1].value[1]
    lost = replace(task, results=tmp_path / "absent", checkpoint=tmp_path / "absent" / "x.pt")
    begun, end = told(lost, [in_memory(task.catalog.load("tiny"))])
    work, text = end.value
    assert (begun, work.checkpoint) == (BEGUN, None)
    assert scores_in(text) == scores_in(seen)
    assert not (tmp_path / "absent").exists()


def scores_in(text):
    from bench.records.record import DoneRun, parse

    record = parse(text, "a test")
    assert isinstance(record, DoneRun)
    return record.scores


def test_a_machine_with_other_code_says_so_in_one_sentence(task, told):
    other = replace(task, run=replace(task.run, code="0" * 12))
    (end,) = told(other)
    assert end.how == "answer"
    assert "install the same version of the project on all machines" in end.value.message


def test_tuning_without_a_results_folder_in_common_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="all machines must share a results folder for tuning"):
        helped(print, (), tmp_path, tmp_path / "absent" / "witness", {})


@pytest.mark.parametrize(("asked", "expected"), [(Places(threads=3), 6), (Places(jobs=2, threads=3), 6)])
def test_a_cluster_of_this_machine_has_the_cores_of_its_jobs_and_no_more(monkeypatch, asked, expected):
    given = {}
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=lambda address, **own: given.update(own)))
    monkeypatch.setattr(on_ray, "cores", lambda: 8)
    on_ray._connect("local", asked)
    assert given["num_cpus"] == expected


class FakeRay(SimpleNamespace):
    """Helpers of which one is still at work, one has died, and those of ``raised`` have raised an error."""

    def __init__(self, raised=()):
        class RayError(Exception): ...

        class RayTaskError(RayError):
            cause = ConfigError("node2 does not see the folder")

        super().__init__(exceptions=SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError))
        self.over, self.raised, self.cancelled = [], raised, []

    def remote(self, **_):
        names = iter("abc")
        return lambda function: SimpleNamespace(remote=lambda *_: next(names))

    def wait(self, tasks, timeout=None):
        over = [task for task in tasks if task in self.over]
        return (over[:1], [task for task in tasks if task not in over[:1]])

    def get(self, task):
        raise self.exceptions.RayTaskError if task in self.raised else self.exceptions.RayError

    def cancel(self, task, force):
        self.cancelled.append(task)


def helpers(monkeypatch, tmp_path, ray):
    monkeypatch.setitem(sys.modules, "ray", ray)
    return on_ray.OnRay(2, "cpu", 1, 0).beside(print, SimpleNamespace(results=tmp_path))


def test_helpers_that_are_killed_leave_nobody_at_work(monkeypatch, tmp_path):
    ray = FakeRay()
    with helpers(monkeypatch, tmp_path, ray) as at_work:
        assert at_work()
        ray.over.append("a")
        assert at_work()
        ray.over.append("b")
        assert not at_work()


def test_what_a_helper_raises_is_told_at_once_and_ends_the_others(monkeypatch, tmp_path):
    ray = FakeRay(raised="a")

    def ask():
        with helpers(monkeypatch, tmp_path, ray) as at_work:
            ray.over.append("a")
            at_work()

    with pytest.raises(ConfigError, match="node2 does not see the folder"):
        ask()
    assert ray.cancelled == ["b"]
    assert list(tmp_path.iterdir()) == []


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"the executor ray needs ray, .*\[ray\]"):
        make_executor("ray", Places(device="cpu"))
