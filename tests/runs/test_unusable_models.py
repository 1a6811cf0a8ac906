"""Models that are absent or broken cost their own runs, and no others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from hostile import model_text
from records import record

from bench.analysis.formats.files import table_files
from bench.analysis.results import Results
from bench.catalog import own_files
from bench.catalog.data import Catalog
from bench.errors import ConfigError, UnknownNameError
from bench.records.record import FailedRun
from bench.records.store import ResultStore
from bench.runs.plan import NO_CODE, Selection, plan
from bench.runs.runner import Runner
from bench.runs.status import plan_status
from bench.runs.suite import Suite, load_suite, load_suites

SUITE = """
name = "own"
title = "Own"
tasks = ["short"]
protocol = "strict"
datasets = ["tiny"]
models = ["last_value", "mine"]

[[variants]]
name = "wide"
model = "mine"
settings = {width = 8}
"""
TEXT = model_text("return repeated(window.history[:, -1:], window) + self.level").replace(
    "    pass", "    width: int = 4", 1
)


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """One that names a model which is not here, and a variant of it."""
    monkeypatch.setenv(own_files.VARIABLE, "")
    (tmp_path / "own.toml").write_text(SUITE, encoding="utf-8")
    (loaded,) = load_suites([str(tmp_path / "own.toml")])
    return loaded


def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv(own_files.VARIABLE, str(tmp_path / "mine.py"))


def test_a_model_that_is_absent_fails_its_own_runs_alone(suite: Suite, catalog: Catalog, tmp_path: Path) -> None:
    runs = plan(suite, Selection(seeds=(0,)), catalog)
    outcome = Runner(catalog, tmp_path, torch.device("cpu"), isolated=False).run(runs)
    assert outcome == {"done": 1, "failed": 2, "skipped": 0}
    records = list(ResultStore(tmp_path).records())
    assert [kept.model for kept in records if kept.status == "done"] == ["last_value"]
    for kept in records:
        if isinstance(kept, FailedRun):
            assert kept.code == NO_CODE
            assert kept.error.message.startswith("there is no model named 'mine'; ")
            assert kept.error.message.endswith("is given by its path, or listed in $STBENCH_PLUGINS")
    counts, _ = plan_status(runs, records)
    assert counts["tiny", "wide"] == {"failed": 1}


def test_a_broken_file_fails_its_own_runs_alone(
    suite: Suite, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(tmp_path, monkeypatch, "class Model(:\n")
    runs = plan(load_suite("short_term"), Selection(models=("mine", "last_value"), datasets=("tiny",)), catalog)
    assert {run.model for run in runs} == {"mine", "last_value"}
    assert {run.model for run in runs if run.code == NO_CODE} == {"mine"}
    assert {run.model for run in plan(load_suite("short_term"), Selection(datasets=("tiny",)), catalog)} > {"stid"}
    with pytest.raises(ConfigError, match=r"mine.py cannot be read as Python"):
        plan(load_suite("short_term"), Selection(models=("mine",), datasets=("tiny",)), catalog)
    assert suite.variants[0].changes((), "quick") == {"model.width=8"}


def test_a_name_that_was_mistyped_stops_the_command(suite: Suite, catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "typo.toml").write_text(SUITE.replace('"last_value", ', "").replace("mine", "stdi"), encoding="utf-8")
    with pytest.raises(ConfigError, match="no model named 'stdi'; did you mean 'stid'"):
        plan(load_suite(str(tmp_path / "typo.toml")), Selection(), catalog)
    with pytest.raises(UnknownNameError, match="no model named 'mien'"):
        plan(suite, Selection(models=("mien", "last_value")), catalog)


def test_a_repaired_file_takes_the_place_of_its_failures(
    suite: Suite, catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = Runner(catalog, tmp_path, torch.device("cpu"), isolated=False)
    small = Selection(seeds=(0,), overrides=("train.epochs=1", "train.steps_per_epoch=1"))
    runner.run(plan(suite, small, catalog))
    listed(tmp_path, monkeypatch, TEXT)
    (loaded,) = load_suites([str(tmp_path / "own.toml")])
    assert runner.run(plan(loaded, small, catalog)) == {"done": 2, "failed": 0, "skipped": 1}
    results = Results.load(tmp_path, [loaded])
    assert repr(results).startswith("Results(5 runs: 3 done, 2 failed and mended since; ")
    shown = table_files(results, ["own"])
    assert b"failed" not in (shown["own.csv"] or b"")


@pytest.mark.parametrize(
    ("overrides", "row"),
    [
        ({}, "mine"),
        ({"model.width": 8}, "wide"),
        ({"model.width": 8, "model.depth": 3}, None),
        ({"model.depth": 3}, None),
    ],
)
def test_rows_of_an_absent_model_are_told_apart_by_what_their_runs_say(
    suite: Suite, overrides: dict[str, int], row: str | None
) -> None:
    made = record("tiny", model="mine", overrides=overrides, base={})
    config = {"width": 4, "depth": 2} | {name.removeprefix("model."): value for name, value in overrides.items()}
    made = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, config=config))
    groups = Results([made], suites=[suite]).groups(suite)
    names = {method.name for group in groups.values() for method in group.methods}
    assert names == ({row} if row else set())
