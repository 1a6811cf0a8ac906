"""Steps in bfloat16 are timed beside those in float32: both do what they say, with a profile's settings."""

from __future__ import annotations

import json

import pytest
import torch
import typer
from torch import nn
from typer.testing import CliRunner

from bench.errors import ConfigError
from bench.perf import bf16
from bench.perf._steps import days_of, model_of, seconds_of, window_of
from bench.runs.profiles import PROFILES

CPU = torch.device("cpu")


def ask(*words):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(bf16.main)
    return CliRunner().invoke(app, [*words])


@pytest.mark.parametrize(("precision", "wanted"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_step_calculates_in_its_precision_and_leaves_gradients_and_weights_in_float32(precision, wanted):
    model, seen = model_of("stid", CPU), set()
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
    assert seconds_of(model, window_of(2, CPU, len(days_of("stid"))), precision) > 0
    assert seen == {wanted}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert all(weight.grad is not None for weight in model.parameters())


def test_a_frozen_backbone_is_cast_before_the_clock_runs_and_given_back(monkeypatch):
    model = model_of("stvfm", CPU, {"weights": "random", "days": True, "depth": 1})
    (backbone,) = (part for part in model.modules() if getattr(part, "CAST_ONCE", False))
    linear = next(part for part in backbone.modules() if isinstance(part, nn.Linear))
    seen = []
    linear.register_forward_hook(lambda layer, _, __: seen.append(layer.weight.dtype))
    seconds_of(model, window_of(1, CPU, 2), "bf16")
    assert (seen, linear.weight.dtype) == ([torch.bfloat16], torch.float32)


def test_the_table_has_a_row_for_each_model_and_says_how_they_were_timed(tmp_path):
    answer = ask("dlinear", "stvfm", "--rounds", "2", "--profile", "quick", "--out", str(tmp_path))
    assert answer.exit_code == 0, answer.output
    made = json.loads((tmp_path / "bf16.json").read_text())
    assert [row["model"] for row in made["rows"]] == ["dlinear", "stvfm"]
    assert (made["rounds"], made["batch"], made["threads"]) == (2, PROFILES["quick"].train.batch_size, 1)
    assert all(row["times as fast"]["pairs"] == 2 for row in made["rows"])
    assert (tmp_path / "bf16.md").read_text() in answer.output + "\n"


def test_settings_are_those_of_the_profile_and_weights_are_random(monkeypatch):
    asked = {}
    monkeypatch.setattr(bf16, "model_of", lambda name, _, settings: asked.update({name: settings}) or nn.Identity())
    monkeypatch.setattr(bf16, "seconds_of", lambda *_: 1.0)
    assert ask("stvfm", "dlinear", "--profile", "reference").exit_code == 0
    assert asked["stvfm"] == {"days": True, "base": "mixed", "backbone": "dinov2_small", "weights": "random"}
    assert asked["dlinear"] == {}


def test_a_profile_that_nobody_knows_is_one_sentence():
    answer = ask("dlinear", "--profile", "fast")
    assert isinstance(answer.exception, ConfigError)
    assert str(answer.exception) == "there is no profile 'fast'; known: quick, laptop, reference, paper"
