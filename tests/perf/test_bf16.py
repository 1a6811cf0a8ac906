"""Steps in bfloat16 are timed beside those in float32: both do what they say, with a profile's settings."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import torch
import typer
from torch import nn
from typer.testing import CliRunner

from bench.errors import ConfigError, UnknownNameError
from bench.perf import _steps, bf16
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


def test_frozen_weights_are_cast_before_the_clock_runs_and_the_gradients_are_timed(monkeypatch):
    seen, model = [], model_of("stvfm", CPU, {"weights": "random", "days": True, "depth": 1})
    (backbone,) = (part for part in model.modules() if getattr(part, "CAST_ONCE", False))
    linear = next(part for part in backbone.modules() if isinstance(part, nn.Linear))
    linear.register_forward_hook(lambda layer, _, __: seen.append(str(layer.weight.dtype)))
    last = next(weight for weight in model.parameters() if weight.requires_grad)
    last.register_hook(lambda _: seen.append(f"gradient, autocast {torch.is_autocast_enabled('cpu')}"))
    cast = _steps.cast_once

    @contextmanager
    def logged(*about):
        with cast(*about):
            seen.append("cast")
            yield

    monkeypatch.setattr(_steps, "cast_once", logged)
    monkeypatch.setattr(_steps.time, "perf_counter", lambda: seen.append("clock") or float(len(seen)))
    seconds_of(model, window_of(1, CPU, 2), "bf16")
    assert seen == ["cast", "clock", "torch.bfloat16", "gradient, autocast False", "clock"]
    assert linear.weight.dtype == torch.float32


def test_gradients_of_one_step_are_gone_in_the_next():
    model, window = model_of("dlinear", CPU), window_of(1, CPU, 0)
    seconds_of(model, window)
    first = [weight.grad.clone() for weight in model.parameters()]
    seconds_of(model, window)
    assert all(torch.equal(weight.grad, grad) for weight, grad in zip(model.parameters(), first, strict=True))


def test_the_table_says_how_many_times_as_fast_bfloat16_is_and_how_that_was_timed(tmp_path, monkeypatch):
    calls = []

    def timed(_, window, precision):
        calls.append((precision, len(window.history), torch.get_num_threads()))
        return {"fp32": 0.006, "bf16": 0.002}[precision] if len(calls) > 4 else 9.0  # the first steps do not count

    monkeypatch.setattr(bf16, "seconds_of", timed)
    before = torch.get_num_threads()
    answer = ask("dlinear", "stid", "--rounds", "2", "--threads", "3", "--profile", "quick", "--out", str(tmp_path))
    assert answer.exit_code == 0, answer.output
    batch = PROFILES["quick"].train.batch_size
    assert calls[:8] == [(name, batch, 3) for name in ("fp32", "bf16", "bf16", "fp32") * 2]
    assert torch.get_num_threads() == before
    made = json.loads((tmp_path / "bf16.json").read_text())
    assert [row["model"] for row in made["rows"]] == ["dlinear", "stid"]
    for row in made["rows"]:
        assert (row["float32, ms"], row["bfloat16, ms"], row["times as fast"]["median"]) == pytest.approx((6, 2, 3))
    assert (made["rounds"], made["batch"], made["threads"]) == (2, batch, 3)
    assert (tmp_path / "bf16.md").read_text() in answer.output + "\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flags: fma avx512_bf16 amx_bf16", "a processor with avx512_bf16 and amx_bf16"),
        ("flags: fma avx2", "a processor with no flag for bfloat16"),
        (None, "a processor of unknown flags"),
    ],
)
def test_the_table_names_what_the_processor_has(tmp_path, monkeypatch, text, said):
    file = tmp_path / "cpuinfo"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(bf16, "CPU", file)
    monkeypatch.setattr(bf16, "seconds_of", lambda *_: 1.0)
    assert said in " ".join(ask("dlinear").output.split())


def test_settings_are_those_of_the_profile_and_weights_are_random(monkeypatch):
    asked = {}
    monkeypatch.setattr(bf16, "model_of", lambda name, _, settings: asked.update({name: settings}) or nn.Identity())
    monkeypatch.setattr(bf16, "seconds_of", lambda *_: 1.0)
    assert ask("stvfm", "st_llm", "dlinear", "--profile", "reference").exit_code == 0
    assert asked["stvfm"] == {"days": True, "base": "mixed", "backbone": "dinov2_small", "weights": "random"}
    assert asked["st_llm"] == {
        **PROFILES["reference"].settings_of("st_llm", ["llm", "depth", "side"]),
        "weights": "random",
    }
    assert asked["dlinear"] == {}


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (
            ["dlinear", "--profile", "papr"],
            UnknownNameError,
            "there is no profile named 'papr'; did you mean 'paper'? known: laptop, paper, quick, reference",
        ),
        (
            ["ridge"],
            ConfigError,
            "ridge makes no steps of training that could be timed; name a model that does, such as stid",
        ),
    ],
)
def test_what_cannot_be_timed_is_one_sentence(words, error, sentence):
    answer = ask(*words)
    assert type(answer.exception) is error
    assert str(answer.exception) == sentence
