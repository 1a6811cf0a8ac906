"""Mistakes in the steps of training that would make results wrong without an error; each is planted by a test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from builders import make_data
from torch import Tensor, nn
from training import CPU, SHORT, gappy, same, start, told

from bench.context import RunContext
from bench.scoring import forecast_sums
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, make_model, train_model
from bench.types import TaskShape, Window


def rate_of(settings: TrainSettings, step: int, steps: int) -> float:
    """The learning rate that the schedule's paper has at a step, counted from 0, out of so many."""
    if settings.schedule == "cosine":
        rising = max(1, int(steps * settings.warmup))
        if step < rising:
            return settings.lr * (step + 1) / rising
        return settings.lr * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising))) / 2
    top, first, last = settings.warmup * (steps + 1) - 1, settings.lr / 25, settings.lr / 25 / 1e4
    begin, end, share = (first, settings.lr, step / top) if step <= top else (settings.lr, last, 0.0)
    share = share if step <= top else (step - top) / (steps - top)
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2


@pytest.mark.parametrize("warmup", [0.1, 0.5])
@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_the_rate_rises_to_its_peak_in_the_warm_up_and_falls_to_the_last_step(schedule, warmup: float) -> None:
    settings = replace(SHORT, schedule=schedule, warmup=warmup, lr=0.01)
    trainer, _ = start(settings)
    rates: list[float] = []
    trainer.optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    trainer.run()
    steps = 4 * math.ceil(len(trainer.task.train) / settings.batch_size)
    assert rates == pytest.approx([rate_of(settings, number, steps) for number in range(steps)], rel=1e-6)


def gradients(clip: float) -> Iterator[float]:
    """The norm of the gradient that each step takes."""
    trainer, model = start(replace(SHORT, epochs=1, loss="mse", clip=clip))
    norms: list[float] = []

    def note(*_: object) -> None:
        parts = [weight.grad.norm() for weight in model.parameters() if weight.grad is not None]
        norms.append(float(torch.stack(parts).norm()))

    trainer.optimizer.register_step_pre_hook(note)
    trainer.run()
    return iter(norms)


def test_gradients_are_clipped_to_the_norm_that_the_recipe_says() -> None:
    free = list(gradients(0.0))
    assert min(free) > 0.1
    for clip in (0.05, 0.1):
        assert list(gradients(clip)) == pytest.approx([clip] * len(free), rel=1e-3)


class Still(nn.Module):
    """A matrix, a vector and a number on which no forecast depends."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.matrix, self.vector = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(3))
        self.number = nn.Parameter(torch.ones(()))
        self.horizon = task.shape.horizon

    def forward(self, window: Window) -> Tensor:
        nothing = 0 * (self.matrix.sum() + self.vector.sum() + self.number)
        return window.history[:, -1:].expand(-1, self.horizon, -1, -1, -1) + nothing


def test_weights_decay_in_matrices_and_not_in_vectors() -> None:
    settings = replace(SHORT, epochs=1, weight_decay=0.5, lr=0.1, schedule="cosine")
    task = Task(make_data(slots=200), TaskSettings(name="short"), CPU)
    model = Still(task)
    trainer = Trainer(model, task, settings, RunContext(seed=0, device=CPU))
    trainer.run()
    shrunk = math.prod(1 - 0.5 * rate_of(settings, step, trainer.steps) for step in range(trainer.steps))
    torch.testing.assert_close(model.matrix.data, torch.full((2, 3), shrunk))
    assert torch.equal(model.vector, torch.ones(3))
    assert torch.equal(model.number, torch.ones(()))


@pytest.mark.parametrize("loss", ["l1", "mse"])
def test_training_is_what_a_bare_loop_does(loss) -> None:
    """Dropout, missing values, clipping, decay and the last short batch are all at work."""
    settings = replace(SHORT, loss=loss, epochs=2, clip=0.1, weight_decay=0.3, lr=0.02, schedule="cosine")
    trainer, model = start(settings, data=gappy(), dropout=0.3)
    told(trainer, 2.0, 1.0)
    trainer.run()
    other, bare = start(settings, data=gappy(), dropout=0.3)
    windows, step = other.task.train, 0
    steps = 2 * math.ceil(len(windows) / 32)
    weights = [(weight, 0.3 if weight.ndim > 1 else 0.0) for weight in bare.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW([{"params": [weight], "weight_decay": decay} for weight, decay in weights])
    order = torch.Generator().manual_seed(0)
    for _ in range(2):
        for chosen in torch.randperm(len(windows), generator=order).split(32):
            for group in optimizer.param_groups:
                group["lr"] = rate_of(settings, step, steps)
            target, valid = windows.target(chosen)
            error = (bare(windows.window(chosen)) - windows.scaler.scaled(target))[valid]
            for weight, _ in weights:
                weight.grad = None
            (error.abs() if loss == "l1" else error**2).mean().backward()
            nn.utils.clip_grad_norm_([weight for weight, _ in weights], 0.1)
            optimizer.step()
            step += 1
    for name, value in bare.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_what_is_frozen_stays_so_even_where_its_gradient_could_be_had() -> None:
    trainer, model = start()
    assert not any(name.startswith("frozen") for name in trainer.parameters)
    before = {name: value.clone() for name, value in model.frozen.state_dict().items()}
    trainer.run()
    assert same(before, model.frozen.state_dict())
    assert not any(weight.requires_grad for weight in model.frozen.parameters())


class Sized(nn.Module):
    """A level that its settings give."""

    def __init__(self, shape: TaskShape, config: TrainSettings) -> None:
        super().__init__()
        self.level = config.batch_size


def test_a_model_is_made_with_its_settings() -> None:
    class Plugin:
        Config, Model = TrainSettings, Sized

    made = make_model(Plugin, {"batch_size": 7}, Task(make_data(), TaskSettings(name="short"), CPU).shape, CPU)  # type: ignore[arg-type]
    assert made.level == 7


@pytest.mark.parametrize("where", ["training", "validation", "scoring"])
def test_bf16_is_used_where_the_recipe_asks_for_it(where: str) -> None:
    kinds: set[torch.dtype] = set()
    trainer, model = start(replace(SHORT, epochs=1, steps_per_epoch=1, precision="bf16"))
    model.linear.register_forward_hook(lambda module, given, answer: kinds.add(answer.dtype))
    if where == "training":
        told(trainer, 1.0)
        trainer.run()
    elif where == "validation":
        trainer._validate()
    else:
        forecast_sums(model, trainer.task.val, mape_threshold=1, precision="bf16")
    assert kinds == {torch.bfloat16}


def test_an_epoch_has_as_many_steps_as_the_recipe_says() -> None:
    trainer, model = start(replace(SHORT, epochs=2, steps_per_epoch=2))
    calls: list[bool] = []
    model.register_forward_hook(lambda module, given, answer: calls.append(module.training))
    told(trainer, 2.0, 1.0)
    trainer.run()
    assert calls == [True] * 4


def test_a_model_with_nothing_to_train_is_left_as_it_is() -> None:
    _, model = start()
    model.requires_grad_(requires_grad=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    task = Task(make_data(slots=200), TaskSettings(name="short"), CPU)
    training = train_model(model, task, SHORT, RunContext(seed=0, device=CPU))
    assert same(before, model.state_dict())
    assert (training.curve, training.best_epoch) == ([], 0)
