"""A model that was loaded finds what it was trained on, so it scores as it did."""

from __future__ import annotations

import warnings

import pytest
import torch
from builders import make_data
from torch import nn

import bench
from bench.errors import ConfigError

FEW = {"train.epochs": 2, "train.steps_per_epoch": 3, "train.batch_size": 8, "task.fraction": 0.2}


class DaysBefore(nn.Module):
    """Reads the day and the week before."""

    DAYS_BACK = (1, 7)

    def __init__(self, shape):
        super().__init__()
        self.share = nn.Parameter(torch.full((2,), 0.5))

    def forward(self, window):
        return torch.einsum("k,bkfchw->bfchw", self.share, window.past)


@pytest.fixture
def trained(tiny, tmp_path):
    """Trains on few windows, whose week before is not known, and loads back."""
    choices = {"data_dir": tiny, "results": tmp_path / "results", "save_weights": True}
    record = bench.evaluate(DaysBefore, "tiny", settings=FEW, **choices)
    assert record.inputs.days_back != (1, 7)
    return record, bench.load_model(record, DaysBefore, results=tmp_path / "results")


@pytest.fixture
def run_of_stid(tiny, tmp_path):
    """A model that only knows its own cells, loaded back."""
    settings = {name: value for name, value in FEW.items() if name.startswith("train.")}
    choices = {"data_dir": tiny, "results": tmp_path / "results", "save_weights": True}
    record = bench.evaluate("stid", "tiny", settings=settings, **choices)
    return bench.load_model(record, results=tmp_path / "results")


def test_days_before_that_were_blank_in_training_are_blank_again(trained, tiny):
    record, loaded = trained
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = bench.evaluate(loaded, "tiny", settings={"task.fraction": 0.2}, data_dir=tiny)
    assert (again.scores, again.inputs) == (record.scores, record.inputs)


def test_values_that_are_scaled_otherwise_than_in_training_are_a_warning(trained, tiny):
    record, loaded = trained
    with pytest.warns(UserWarning, match=r"'DaysBefore' was trained on values that were scaled otherwise .* 'tiny'"):
        other = bench.evaluate(loaded, "tiny", data_dir=tiny)
    assert other.scores != record.scores


def test_an_attribute_of_a_model_s_own_that_has_the_same_name_is_left_alone(tiny):
    model = DaysBefore(None)
    model.trained_on = ("tiny", "tiny2")
    assert bench.evaluate(model, "tiny", data_dir=tiny).inputs.days_back == (1, 7)


def test_steps_or_a_grid_that_a_loaded_model_was_not_built_for_are_one_sentence(tiny, run_of_stid):
    loaded = run_of_stid
    with pytest.raises(
        ConfigError, match=r"'stid' was built for 6 → 6 steps of 2 channels, and these windows are 6 → 3"
    ):
        bench.evaluate(loaded, "tiny", data_dir=tiny, settings={"task.horizon": 3})
    card = {"name": "wide", "interval": 30, "grid": [3, 5], "channels": ["in", "out"], "start": "2020-01-06T00:00"}
    bench.import_data(make_data(slots=400, grid=(3, 5)).values, card, tiny, on_note=str)
    with (
        pytest.warns(UserWarning, match="scaled otherwise"),
        pytest.raises(
            ConfigError, match=r"'stid' was built for a grid of 3 x 4 cells and cannot forecast one of 3 x 5"
        ),
    ):
        bench.evaluate(loaded, "wide", data_dir=tiny)


def test_the_warning_points_at_who_asked(trained, tiny):
    _, loaded = trained
    with pytest.warns(UserWarning, match="scaled otherwise") as caught:
        bench.evaluate(loaded, "tiny", data_dir=tiny)
    assert caught[0].filename == __file__


class Named(DaysBefore):
    """Has an attribute of its own that is called as one of ours might be."""

    def __init__(self, shape):
        super().__init__(shape)
        self.trained_on = nn.Linear(1, 1)

    def forward(self, window):
        return super().forward(window) + 0 * self.trained_on.bias


def test_a_loaded_model_keeps_its_own_attributes(tiny, tmp_path):
    record = bench.evaluate(Named, "tiny", settings=FEW, data_dir=tiny, results=tmp_path, save_weights=True)
    loaded = bench.load_model(record, Named, results=tmp_path)
    assert isinstance(loaded.trained_on, nn.Linear)
    assert bench.evaluate(loaded, "tiny", settings={"task.fraction": 0.2}, data_dir=tiny).scores == record.scores
