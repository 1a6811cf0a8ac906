"""Mistakes in what ``bench.evaluate`` is asked for: each is one sentence that says what to do."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from own_models import OwnStid, Steps, evaluated

import bench
from bench.errors import BenchError


@pytest.fixture
def evaluate(tiny, nothing_is_left_in_the_current_folder):
    """``bench.evaluate`` on ``tiny`` with a tiny budget, which must leave nothing in the current folder."""
    return partial(evaluated, tiny)


class stid(Steps):  # noqa: N801 - a registered name
    pass


class NoDataclass(Steps):
    class Config:
        width = 3


class NoConfig(Steps):
    def __init__(self, shape, settings):
        super().__init__(shape)
        self.width = settings.width


class NoModule:
    def __init__(self, shape):
        pass


class OneStep(Steps):
    def forward(self, window):
        return super().forward(window)[:, :1]


@pytest.mark.parametrize(
    ("model", "choices", "message"),
    [
        ("stit", {}, "did you mean 'stid'"),
        ("stid", {"dataset": "bikenyk"}, "did you mean 'bikenyc"),
        (Steps, {"dataset": "bikenyk"}, "did you mean 'bikenyc"),
        (Steps, {"profile": "papr"}, "did you mean 'paper'"),
        (Steps, {"task": "shrt"}, "did you mean 'short'"),
        (Steps, {"protocol": "loose"}, "protocol"),
        (Steps, {"device": "gpu"}, "there is no device 'gpu'"),
        (Steps, {"seed": -1}, "the seed -1 is no whole number from 0"),
        ("stid", {"seed": 0.5}, "the seed 0.5 is no whole number from 0"),
        (Steps, {"data_dir": "/nowhere/at/all"}, "/nowhere/at/all"),
        (Steps, {"settings": {"model.width": 3}}, "there is no setting model.* named 'width'"),
        (OwnStid, {"settings": {"model.widht": 3}}, "did you mean 'width'"),
        (OwnStid, {"settings": {"model.width": "wide"}}, "model (OwnStid).width"),
        ("stid", {"settings": {"model.widht": 3}}, "did you mean 'width'"),
        (Steps, {"settings": {"train.epoch": 3}}, "did you mean 'epochs'"),
        (Steps, {"settings": {"train.epochs": 0}}, "greater than or equal to 1"),
        (Steps, {"settings": {"train.lr": float("nan")}}, "train.lr"),
        (Steps, {"settings": {"train.lr": None}}, "wanted a number, a text or a truth value"),
        (
            Steps,
            {"settings": {"width": 3}},
            "task., model. or train. before its name, as --set train.epochs=3 or settings=",
        ),
        (3, {}, "the model is 3, wanted"),
        (stid, {}, "cannot be called 'stid'"),
        (lambda window: window.history, {}, "cannot be called '<lambda>'"),
        (NoDataclass, {}, "the Config of 'NoDataclass' is no dataclass"),
        (
            NoConfig,
            {},
            "'NoConfig' takes 'settings' beside the shape, and there is no Config; write a dataclass Config",
        ),
        (NoModule, {}, "wanted a torch.nn.Module"),
        (OneStep, {}, "wanted [B, F, C, H, W] = (3, 6, 2, 3, 4)"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_what_to_do(evaluate, model, choices, message):
    with pytest.raises(BenchError) as caught:
        evaluate(model, **choices)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_neither_a_name_nor_a_path_is_told_where_it_goes(tiny, tmp_path):
    data = bench.load_dataset("tiny", tiny, cache=tmp_path)
    frame = pd.DataFrame({"value": [1.0]})
    calls = {
        "the model is 'Steps', wanted a name or the path of a file; give a class or a fitted map to bench.evaluate": (
            lambda: bench.run(models=[Steps])
        ),
        "the data set is of the type Dataset, wanted a name or the path of a file; write its name, 'tiny'": (
            lambda: bench.evaluate("stid", dataset=data)
        ),
        "the data set is of the type DataFrame, wanted a name or the path of a file; bench.import_data makes": (
            lambda: bench.evaluate("stid", dataset=frame)
        ),
        "the data set is of the type ndarray, wanted": lambda: bench.forecast_windows(frame.to_numpy()),
        "the data set is of the type int, wanted": lambda: bench.load_dataset(3),
        "'stid' is no record; give one, such as bench.load_results": lambda: bench.load_model("stid"),
    }
    for message, call in calls.items():
        with pytest.raises(BenchError, match=f"^{re.escape(message)}"):
            call()


def test_a_notebook_shows_its_own_lines_of_an_error_and_none_of_ours(evaluate):
    with pytest.raises(BenchError) as caught:
        evaluate("stit")
    *frames, sentence = caught.value._render_traceback_()
    assert sentence == f"{type(caught.value).__name__}: {caught.value}"
    assert any(f'"{__file__}"' in frame for frame in frames)
    assert not any(f"{Path(bench.__file__).parent}" in frame for frame in frames)


def test_what_a_model_raises_passes_through(evaluate):
    def broken(window):
        raise ZeroDivisionError("as planned")

    with pytest.raises(ZeroDivisionError, match="as planned"):
        evaluate(broken)
