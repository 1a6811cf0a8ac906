"""Frozen weights that are cast once: the same numbers, and the model as it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from builders import make_data
from torch import Tensor, nn

from bench import scoring, train
from bench.catalog import registry
from bench.context import RunContext
from bench.frozen import cast_once, frozen_factors
from bench.scoring import forecast_sums
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task, task_for
from bench.train import Trainer, make_model

CPU = torch.device("cpu")
DATA = make_data(slots=480, grid=(4, 4))
BF16 = TrainSettings(epochs=1, steps_per_epoch=2, batch_size=4, precision="bf16")
MODELS = {
    "stvfm": {"backbone": "vit_tiny", "depth": 1, "weights": "random"},
    "stvfm of pictures": {"backbone": "vit_tiny", "depth": 1, "weights": "random", "tokens": "image"},
    "stvfm with LoRA": {"backbone": "vit_tiny", "depth": 1, "weights": "random", "tuning": "lora"},
    "st_llm": {},
    "time_llm": {},
    "visionts": {"tuning": "norm"},
}


def made(name: str) -> tuple[Task, nn.Module]:
    plugin = registry.load("model", name.split()[0])
    task = task_for(plugin, DATA, TaskSettings(name="short"), CPU)
    torch.manual_seed(0)
    return task, make_model(plugin, MODELS[name], task.shape, CPU)


def results(name: str) -> tuple[float, Tensor, dict[str, Tensor]]:
    """Loss of a short epoch, sums of errors and trained weights, all in bf16."""
    task, model = made(name)
    context = RunContext(seed=0, device=CPU)
    context.begin()
    loss = Trainer(model, task, BF16, context)._train_epoch()
    sums = forecast_sums(model.eval(), task.val, mape_threshold=1.0, precision="bf16")
    return loss, torch.from_numpy(sums.sums), model.state_dict()


@pytest.mark.parametrize("name", MODELS)
def test_no_number_changes(name: str, no_weights: None, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, sums, weights = results(name)
    for module in (train, scoring):
        monkeypatch.setattr(module, "cast_once", never_cast)
    wanted_loss, wanted_sums, wanted_weights = results(name)
    assert loss == wanted_loss
    assert torch.equal(sums, wanted_sums)
    assert all(value.dtype == weights[key].dtype for key, value in wanted_weights.items())
    assert all(torch.equal(value, weights[key]) for key, value in wanted_weights.items())


@contextmanager
def never_cast(*_: object) -> Iterator[None]:
    yield


@pytest.mark.parametrize("name", MODELS)
def test_most_frozen_weights_are_cast_while_they_are_used(name: str, no_weights: None) -> None:
    _, model = made(name)
    frozen = [weight for weight in model.parameters() if not weight.requires_grad and weight.ndim > 1]
    with cast_once(model, CPU, "bf16"):
        cast = [weight for weight in model.parameters() if weight.dtype == torch.bfloat16]
        assert cast
        assert not any(weight.requires_grad for weight in cast)
    assert len(cast) >= 0.7 * len(frozen)
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_norms_words_and_what_is_trained_stay_in_float32(no_weights: None) -> None:
    _, model = made("st_llm")
    kept = {id(weight) for weight in frozen_factors(model)}
    names = {name for name, weight in model.named_parameters() if id(weight) in kept}
    assert names
    assert not any("wte" in name or "wpe" in name or "ln_" in name for name in names)


class Part(nn.Module):
    CAST_ONCE = True

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out, self.own = nn.Embedding(3, 2), nn.Linear(2, 3), nn.Linear(2, 2)
        self.out.weight = self.words.weight
        self.requires_grad_(requires_grad=False)


def test_a_weight_that_something_else_uses_is_left_alone() -> None:
    part = Part()
    assert {id(weight) for weight in frozen_factors(part)} == {
        id(w) for w in (part.own.weight, part.own.bias, part.out.bias)
    }


def test_a_model_that_does_not_ask_for_it_is_left_alone() -> None:
    assert frozen_factors(nn.Sequential(nn.Linear(2, 2).requires_grad_(requires_grad=False))) == []


def test_fp32_casts_nothing() -> None:
    part = Part()
    with cast_once(part, CPU, "fp32"):
        assert part.own.weight.dtype == torch.float32


def test_an_error_gives_the_weights_back() -> None:
    part = Part()
    before = part.own.weight.clone()
    with pytest.raises(RuntimeError), cast_once(part, CPU, "bf16"):
        raise RuntimeError
    assert torch.equal(part.own.weight, before)
    assert part.own.weight.dtype == torch.float32
