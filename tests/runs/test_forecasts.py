"""A forecast of the wrong kind, shape or type is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited import LAST, Run, runs_of_models
from hostile import model_text

from bench.errors import ForecastError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs_of_models(tmp_path, monkeypatch)


WRONG = {
    "one step": ("window.history[:, -1:] + self.level", r"\(3, 1, 2, 3, 4\), wanted .* = \(3, 6, 2, 3, 4\)"),
    "one channel": (f"({LAST})[:, :, :1]", r"\(3, 6, 1, 3, 4\), wanted"),
    "a mean over the grid": (f"({LAST}).mean(dim=(3, 4), keepdim=True)", r"\(3, 6, 2, 1, 1\), wanted"),
    "half of the batch": (f"({LAST})[: len(window.history) // 2]", r"\(1, 6, 2, 3, 4\), wanted"),
    "no batch when alone": (f"({LAST}).squeeze(0)", r"\(6, 2, 3, 4\), wanted .* = \(1, 6, 2, 3, 4\)"),
    "a tuple": (f"{LAST}, None", r"returns a tuple, wanted one tensor \[B, F, C, H, W\] = \(3, 6, 2, 3, 4\)"),
    "an array": (f"({LAST}).detach().numpy()", "returns a ndarray, wanted one tensor"),
    "64 bits": (f"({LAST}).double()", r"forecasts torch.float64, wanted torch.float32"),
    "whole numbers": (f"({LAST}).long()", r"forecasts torch.int64, wanted torch.float32"),
    "no numbers": (f"({LAST}) / 0", "not finite"),
    "on another device": (f"({LAST}).to('meta')", "forecasts on meta, wanted cpu"),
    "a changed window": (f"window.history.sub_(1).mean() + {LAST}", "changes history of its window in place"),
}


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize(("forecast", "sentence"), WRONG.values(), ids=WRONG)
def test_a_forecast_of_the_wrong_kind_is_refused_before_anything_is_trained_or_scored(
    run: Run, forecast: str, sentence: str, learns: bool
) -> None:
    told: list[object] = []
    with pytest.raises(ForecastError, match=sentence):
        run(model_text(f"return {forecast}", learns=learns), on_epoch=told.append)
    assert told == []


def test_a_model_that_is_fitted_is_tried_after_it_is_fitted(run: Run) -> None:
    fitted = model_text(f"return {LAST} + self.fitted", learns=False)
    assert run(fitted + "    def fit(self, series):\n        self.fitted = 0.0\n").training.curve == []
    with pytest.raises(ForecastError, match="not finite"):
        run(fitted + "    def fit(self, series):\n        self.fitted = float('nan')\n")


def test_a_forecast_that_is_of_the_wrong_shape_in_training_alone_is_refused(run: Run) -> None:
    with pytest.raises(ForecastError, match=r"\(8, 1, 2, 3, 4\), wanted"):
        run(model_text(f"return window.history[:, :1] + self.level if self.training else {LAST}"))


def test_a_forecast_that_is_not_finite_on_test_alone_is_refused(run: Run) -> None:
    text = model_text(f"return {LAST} + (float('nan') if window.history_clock[0, 0, 1] == 3 else 0)", learns=False)
    with pytest.raises(ForecastError, match="not all finite"):
        run(text)


def test_a_model_that_cannot_be_copied_is_told_what_to_leave_out(run: Run) -> None:
    with pytest.raises(ForecastError, match=r"cannot be copied .* keep no file, lock, generator"):
        run(model_text(f"return {LAST}", made="import threading; self.lock = threading.Lock()"))


@pytest.mark.parametrize(
    "added",
    [
        "self.register_buffer('seen', torch.zeros(1))",
        "self.level = nn.Parameter(torch.zeros(6, 1, 1, 1))",
    ],
)
def test_a_model_that_makes_tensors_while_it_is_trained_is_told_to_make_them_before(run: Run, added: str) -> None:
    text = model_text(f"if self.training and self.level.ndim == 0:\n    {added}\nreturn {LAST}")
    with pytest.raises(ForecastError, match="are not those that it was built with; make all of them in __init__"):
        run(text)
