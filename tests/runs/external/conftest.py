"""A data set with runs whose forecasts were saved, and forecasts of the same windows that nobody ran."""

from __future__ import annotations

import numpy as np
import pytest
from clusters import small_plan
from elsewhere import MODELS, SQUARE

import bench
from bench.catalog.data import Catalog
from bench.catalog.importing import import_array
from bench.records.saved import Saving
from bench.records.store import ResultStore
from bench.runs.runner import Runner


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data folder with a square city whose cells and channels differ, and runs on it whose forecasts were saved."""
    folder = tmp_path_factory.mktemp("square")
    time = np.arange(400)
    level = np.arange(1.0, 33.0).reshape(2, 4, 4) * 3
    wave = 1.5 + np.sin(2 * np.pi * time / 48)[:, None, None, None]
    np.save(folder / "square.npy", np.random.default_rng(1).poisson(wave * level).astype(np.float32))
    (folder / "square.toml").write_text(SQUARE, encoding="utf-8")
    import_array(folder / "square.npy", folder / "square.toml", folder / "data")
    catalog = Catalog(data_dir=folder / "data", cache=folder / "cache")
    runs = small_plan(catalog, *MODELS, datasets=("square",))
    Runner(catalog, folder / "results", "cpu", isolated=False, saving=Saving(forecasts=True)).run(runs)
    return folder


@pytest.fixture(scope="module")
def records(place):
    return {record.model: record for record in ResultStore(place / "results").records()}


@pytest.fixture
def evaluate(place):
    def call(forecasts, dataset="square", **choices):
        return bench.evaluate(forecasts=forecasts, dataset=dataset, data_dir=place / "data", **choices)

    return call


@pytest.fixture(scope="module")
def wanted(place):
    return bench.forecast_windows("square", data_dir=place / "data", cache=place / "cache")


@pytest.fixture(scope="module")
def good(place, wanted):
    """Forecasts of all windows: the day before."""
    values = bench.load_dataset("square", place / "data", place / "cache").values
    steps = wanted.origins[:, None] + np.arange(6)
    return np.array(values[steps - 48])
