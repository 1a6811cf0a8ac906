"""Mistakes in what ``bench.evaluate`` is asked for: each is one sentence that says what to do."""

from __future__ import annotations

from functools import partial
from pathlib import Path

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
        (NoModule, {}, "wanted a torch.nn.Module"),
        (OneStep, {}, "wanted [B, F, C, H, W] = (3, 6, 2, 3, 4)"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_what_to_do(evaluate, model, choices, message):
    with pytest.raises(BenchError) as caught:
        evaluate(model, **choices)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


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
