"""Runs on a Ray cluster: the records of one process, whatever the machines see of each other."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from clusters import works

from bench.errors import ConfigError, MissingPackageError
from bench.runs.executors import Places, make_executor
from bench.runs.executors.ray_task import BEGUN, WANTS_DATA, SentCatalog, helped, made
from bench.runs.isolation import End
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
    begun, end = told(lost, [SentCatalog(task.catalog.load("tiny"))])
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


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"--executor ray needs ray, .*\[ray\]"):
        make_executor("ray", Places(device="cpu"))
