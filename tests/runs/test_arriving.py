"""Files that a run saved on a machine without the results folder, sent back piece by piece."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from clusters import works
from safetensors.numpy import load_file

from bench.errors import StoreError
from bench.records.saved import Saving, saved_path
from bench.runs.executors import ray_task
from bench.runs.executors.arriving import Arriving
from bench.runs.executors.ray_task import Piece, in_memory, made
from bench.runs.isolation import End
from bench.runs.worker import record_text


@pytest.fixture
def work(catalog, tmp_path):
    (work,) = works(catalog, tmp_path / "results", "historical_average", datasets=("tiny",))
    return replace(work, saving=Saving(forecasts=True, weights=True))


@pytest.fixture
def sent(monkeypatch, work):
    """What a machine says that was sent the data, its run being made in this process."""
    monkeypatch.setattr(
        ray_task,
        "carry_out",
        lambda work, threads: iter([End("answer", record_text(work, SimpleNamespace(row=print, call=None)))]),
    )
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda kept: kept))
    monkeypatch.setattr(ray_task, "PIECE", 1000)
    return list(made(work, [in_memory(work.catalog.load("tiny"))], 1, {}))


def test_what_was_saved_elsewhere_arrives_whole_and_before_the_end(sent, work, tmp_path):
    *pieces, end = sent[1:]
    assert isinstance(end, End)
    assert len(pieces) > 4
    assert not (tmp_path / "results").exists()
    arriving = Arriving()
    for piece in pieces:
        arriving.take(work, piece)
    here = replace(work, results=tmp_path / "here", checkpoint=None)
    record_text(here, SimpleNamespace(row=print, call=None))
    ours, theirs = (saved_path(folder.results, work.run, "forecasts") for folder in (here, work))
    assert ours.read_bytes() == theirs.read_bytes()
    ours, theirs = (load_file(saved_path(folder.results, work.run, "weights")) for folder in (here, work))
    assert {name: value.tolist() for name, value in ours.items()} == {
        name: value.tolist() for name, value in theirs.items()
    }


def test_a_file_whose_rest_never_comes_is_gone(sent, work, tmp_path):
    arriving = Arriving()
    arriving.take(work, sent[1])
    arriving.forget("another run")
    assert [path.suffix for path in (tmp_path / "results").rglob("*") if path.is_file()] == [".tmp"]
    arriving.forget(work.run.run_id)
    assert [path for path in (tmp_path / "results").rglob("*") if path.is_file()] == []
    arriving.take(work, sent[1])
    arriving.forget_all()
    assert [path for path in (tmp_path / "results").rglob("*") if path.is_file()] == []


def test_a_file_that_cannot_be_put_here_is_one_sentence(work, tmp_path):
    work.results.write_text("no folder")
    with pytest.raises(StoreError, match=r"\.npz cannot be written \(.*\); check the folder's space and rights"):
        Arriving().take(work, Piece("forecasts", b"x", last=True))


def test_a_run_that_fails_elsewhere_sends_no_file(monkeypatch, work):
    monkeypatch.setattr(ray_task, "carry_out", lambda work, threads: iter([End("died", "no memory")]))
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda kept: kept))
    _, end = made(work, [in_memory(work.catalog.load("tiny"))], 1, {})
    assert end == End("died", "no memory")
