"""Every model keeps its numbers: one short training on a toy city, through the same path as a run.

A change that is declared equal in ``bench/catalog/equal_code.toml`` must leave this test as it is. Where numbers are
meant to move, ``STBENCH_WRITE_GOLDEN=1 python -m pytest tests/golden -n 0`` writes ``scores.json`` anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import make_data

from bench.catalog import registry
from bench.catalog.data import Catalog
from bench.catalog.importing import import_array
from bench.runs.plan import Selection, plan
from bench.runs.profiles import PROFILES
from bench.runs.runner import Runner
from bench.runs.suite import load_suite

FILE = Path(__file__).with_name("scores.json")
WRITE = "STBENCH_WRITE_GOLDEN" in os.environ
METRICS = ("mae", "rmse")
TOLERANCE = 1e-4  # relative; kernels of another CPU differ in the last bits, which training spreads
BUDGET = ("task.scored=0", "train.epochs=1", "train.steps_per_epoch=2", "train.batch_size=4", "train.precision=fp32")
CARD = 'name = "toy"\ninterval = 30\ngrid = [4, 5]\nchannels = ["in", "out"]\nstart = "2020-01-06T00:00"\n'

VARIANTS = {"stvfm on pictures": ("stvfm", "model.tokens=image")}  # whose code no default runs

Scores = dict[str, float]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """A city of 4 x 5 cells over five days."""
    folder = tmp_path_factory.mktemp("toy")
    np.save(folder / "toy.npy", make_data(slots=240, grid=(4, 5)).values)
    (folder / "toy.toml").write_text(CARD, encoding="utf-8")
    import_array(folder / "toy.npy", folder / "toy.toml", folder / "data")
    return Catalog(data_dir=folder / "data", cache=folder / "cache")


@pytest.fixture
def own_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick profile without what it sets of single models."""
    monkeypatch.setattr("bench.runs.plan.PROFILES", {"quick": replace(PROFILES["quick"], members={})})


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scores(name: str, catalog: Catalog, results: Path) -> Scores:
    """Errors on test, in trips, of the models' own defaults, or of a variant, after two steps."""
    model, *changes = VARIANTS.get(name, (name,))
    overrides = (*BUDGET, *changes)
    selection = Selection(models=(model,), datasets=("toy",), profile="quick", task="short", overrides=overrides)
    run = next(run for run in plan(load_suite("short_term"), selection, catalog) if run.method == model)
    runner = Runner(catalog, results, torch.device("cpu"), isolated=False)
    runner.run([run])
    (record,) = runner.store.records()
    assert record.status == "done", record.error
    return {metric: record.score(metric) for metric in METRICS}


def known() -> dict[str, Scores]:
    found: dict[str, Scores] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return found


@pytest.mark.parametrize("model", [*registry.model_names(), *VARIANTS])
def test_a_model_keeps_its_numbers(
    model: str, toy: Catalog, own_defaults: None, one_thread: None, no_weights: None, tmp_path: Path
) -> None:
    found = scores(model, toy, tmp_path / "results")
    if WRITE:
        FILE.write_text(json.dumps({**known(), model: found}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        pytest.skip(f"written: {found}")
    assert found == pytest.approx(known()[model], rel=TOLERANCE)


def test_every_model_with_numbers_is_registered() -> None:
    assert known().keys() == {*registry.model_names(), *VARIANTS}
