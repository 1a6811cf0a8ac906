"""Mistakes of a training loop that leave a model which still learns, each made impossible to overlook."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_data
from torch import Tensor, nn

from bench.context import RunContext
from bench.scoring import forecast_sums, physical_forecast
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, make_model, train_model
from bench.types import SpatioTemporalData, TaskShape, Window
from bench.windows import WindowSet

CPU = torch.device("cpu")
SHORT = TrainSettings(epochs=4, batch_size=32, patience=9)
DRAWS = {"torch": lambda: float(torch.rand(())), "numpy": np.random.rand, "python": random.random}


class Map(nn.Module):
    """A linear map of every cell's history with dropout, and a norm; it notes in which mode it was called."""

    def __init__(self, task: Task, dropout: float = 0.0) -> None:
        super().__init__()
        self.drop, self.norm = nn.Dropout(dropout), nn.LayerNorm(task.shape.history)
        self.linear = nn.Linear(task.shape.history, task.shape.horizon)
        self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)
        self.modes: set[tuple[str, bool]] = set()

    def forward(self, window: Window) -> Tensor:
        self.modes.add(("learning" if torch.is_grad_enabled() else "forecasting", self.training))
        forecast: Tensor = self.linear(self.norm(self.drop(window.history.movedim(1, -1)))).movedim(-1, 1)
        return forecast


def gappy(share: float = 0.2) -> SpatioTemporalData:
    """A toy city without a fifth of its values, among them all of one cell."""
    plain = make_data(slots=200, grid=(2, 2))
    mask = np.random.default_rng(5).random(plain.values.shape) >= share
    mask[:, :, 0, 0] = False
    return make_data(slots=200, grid=(2, 2), mask=mask)


def start(
    settings: TrainSettings = SHORT, *, seed: int = 0, data: SpatioTemporalData | None = None, dropout: float = 0.0
) -> tuple[Trainer, Map]:
    """A trainer whose model has the same weights whatever the seed."""
    task = Task(make_data(slots=200) if data is None else data, TaskSettings(name="short"), CPU)
    torch.manual_seed(0)
    model = Map(task, dropout)
    context = RunContext(seed=seed, device=CPU)
    context.begin()
    return Trainer(model, task, settings, context), model


def told(trainer: Trainer, *errors: float) -> list[dict[str, Tensor]]:
    """Validation says these errors, epoch by epoch; the weights that it saw are kept."""
    values, seen = iter(errors), []

    def validate() -> float:
        seen.append({name: value.clone() for name, value in trainer.model.state_dict().items()})
        return next(values)

    trainer._validate = validate  # type: ignore[method-assign]
    return seen


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, second[name]) for name, value in first.items())


# Which epoch --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("best", [1, 2, 3, 4])
def test_training_ends_with_the_weights_of_its_best_epoch_and_no_others(best: int) -> None:
    trainer, model = start()
    errors = [2.0, 2.0, 2.0, 2.0]
    errors[best - 1] = 1.0
    seen = told(trainer, *errors)
    assert trainer.run().best_epoch == best
    ends = [same(model.state_dict(), weights) for weights in seen]
    assert ends == [epoch == best for epoch in (1, 2, 3, 4)]


def test_of_equal_epochs_the_first_is_the_best() -> None:
    trainer, model = start()
    seen = told(trainer, 2.0, 1.0, 1.0, 1.0)
    assert trainer.run().best_epoch == 2
    assert same(model.state_dict(), seen[1])


def test_the_best_epoch_is_chosen_by_validation_and_not_by_the_training_loss() -> None:
    trainer, _ = start(replace(SHORT, lr=0.02))
    told(trainer, 1.0, 2.0, 3.0, 4.0)  # while the training loss falls
    training = trainer.run()
    losses = [row["train_loss"] for row in training.curve]
    assert losses[-1] < losses[0]
    assert (training.best_epoch, training.best_mae) == (1, 1.0)


class Killed(Exception):  # noqa: N818 - stands for kill -9
    pass


@pytest.mark.parametrize("after", [2, 3])
def test_a_run_that_is_killed_after_its_best_epoch_ends_with_the_weights_of_that_epoch(tmp_path, after: int) -> None:
    def kill(row: dict[str, float]) -> None:
        if row["epoch"] == after:
            raise Killed

    errors, checkpoint = [2.0, 1.0, 1.5, 1.2], tmp_path / "run.pt"
    trainer, _ = start()
    seen = told(trainer, *errors)
    with pytest.raises(Killed):
        trainer.run(checkpoint, kill)
    trainer, model = start()
    told(trainer, *errors[after:])
    training = trainer.run(checkpoint)
    assert (training.best_epoch, training.best_mae) == (2, 1.0)
    assert same(model.state_dict(), seen[1])


def test_the_curve_has_the_error_of_each_epoch_and_not_the_best_so_far() -> None:
    trainer, _ = start()
    told(trainer, 2.0, 1.0, 1.5, 1.2)
    assert [row["val_mae"] for row in trainer.run().curve] == [2.0, 1.0, 1.5, 1.2]


def test_patience_is_the_number_of_epochs_without_a_better_one() -> None:
    trainer, _ = start(replace(SHORT, epochs=20, patience=3))
    told(trainer, 2.0, 1.0, 1.5, 0.9, 1.0, 1.0, 1.0, 0.1)
    assert [row["epoch"] for row in trainer.run().curve] == [1, 2, 3, 4, 5, 6, 7]


# Chance -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", DRAWS)
def test_every_generator_is_seeded_by_the_runs_own_seed(source: str) -> None:
    def drawn(seed: int) -> float:
        RunContext(seed=seed, device=CPU).begin()
        return DRAWS[source]()

    assert drawn(0) == drawn(0)
    assert len({drawn(seed) for seed in range(5)}) == 5


def orders(seed: int, monkeypatch: pytest.MonkeyPatch, epochs: int = 2) -> list[list[int]]:
    """The windows of each epoch in the order in which they were learnt from."""
    seen: list[int] = []
    target = WindowSet.target

    def spy(windows: WindowSet, chosen: Tensor) -> tuple[Tensor, Tensor]:
        seen.extend(chosen.tolist() if torch.is_grad_enabled() else [])
        return target(windows, chosen)

    trainer, _ = start(replace(SHORT, epochs=epochs), seed=seed)
    with monkeypatch.context() as patch:
        patch.setattr(WindowSet, "target", spy)
        trainer.run()
    length = len(seen) // epochs
    return [seen[epoch * length : (epoch + 1) * length] for epoch in range(epochs)]


def test_windows_come_in_another_order_in_every_epoch_and_for_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [*orders(0, monkeypatch), *orders(1, monkeypatch)]
    assert len({tuple(order) for order in found}) == 4
    assert sorted(found[0]) != found[0]
    assert orders(0, monkeypatch) == found[:2]


def test_every_epoch_learns_from_every_window_once_the_last_short_batch_included(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trainer, _ = start()
    assert len(trainer.task.train) % SHORT.batch_size
    for order in orders(0, monkeypatch):
        assert sorted(order) == list(range(len(trainer.task.train)))


# What is learnt from ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["l1", "mse", "huber"])
def test_the_loss_is_the_mean_over_the_values_that_were_measured(loss) -> None:
    settings = replace(SHORT, loss=loss, epochs=1, batch_size=1000, lr=1e-9)
    trainer, model = start(settings, data=gappy())
    task, losses = trainer.task, []
    every = torch.arange(len(task.train))
    forecast, (target, valid) = model(task.train.window(every)).detach(), task.train.target(every)
    scaled = task.scaler.scaled(target)
    for place in valid.nonzero().tolist():
        error = abs(float(forecast[tuple(place)] - scaled[tuple(place)]))
        huber = error - 0.5 if error > 1 else error**2 / 2
        losses.append({"l1": error, "mse": error**2, "huber": huber}[loss])
    assert trainer.run().curve[0]["train_loss"] == pytest.approx(math.fsum(losses) / len(losses), rel=1e-5)
    assert len(losses) < 0.7 * valid.numel()


def test_the_training_loss_is_the_mean_over_all_batches_of_an_epoch() -> None:
    settings = replace(SHORT, epochs=1, lr=1e-9)
    trainer, model = start(settings)
    order, losses = trainer.order.clone_state(), []
    for chosen in trainer.task.train.shuffled(settings.batch_size, order):
        forecast, (target, _) = model(trainer.task.train.window(chosen)).detach(), trainer.task.train.target(chosen)
        losses.append(float((forecast - trainer.task.scaler.scaled(target)).abs().mean()))
    assert trainer.run().curve[0]["train_loss"] == pytest.approx(math.fsum(losses) / len(losses), rel=1e-5)


def test_the_error_of_an_epoch_is_that_of_the_validation_windows_after_it() -> None:
    trainer, model = start(replace(SHORT, epochs=1), data=gappy())
    row = trainer.run().curve[0]
    task = trainer.task
    every = torch.arange(len(task.val))
    with torch.no_grad():
        forecast = task.scaler.physical(model(task.val.window(every)))
    target, valid = task.val.target(every)
    assert row["val_mae"] == pytest.approx(float((forecast - target).abs()[valid].double().mean()), rel=1e-5)


def test_validation_clamps_where_scoring_does() -> None:
    task = Task(make_data(slots=200), TaskSettings(name="short", clamp=True), CPU)
    model = Map(task)
    with torch.no_grad():
        model.linear.bias.fill_(100.0)  # far above all that was ever seen
    trainer = Trainer(model, task, SHORT, RunContext(seed=0, device=CPU))
    clamped = forecast_sums(model, task.val, mape_threshold=1, clamp=True).scores()["mae"].overall
    assert trainer._validate() == clamped
    assert clamped < forecast_sums(model, task.val, mape_threshold=1).scores()["mae"].overall


def test_a_model_learns_in_training_mode_and_forecasts_in_evaluation_mode() -> None:
    trainer, model = start()
    trainer.run()
    assert model.modes == {("learning", True), ("forecasting", False)}
    assert not model.training


def test_forecasts_are_clamped_only_where_it_is_asked_for() -> None:
    scaler = Task(make_data(slots=200), TaskSettings(name="short"), CPU).scaler
    wide = torch.tensor([-50.0, 0.0, 50.0]).view(3, 1, 1, 1, 1)
    assert torch.equal(physical_forecast(wide, scaler, clamp=False), scaler.physical(wide))
    for channel in (0, 1):
        clamped = physical_forecast(wide, scaler, clamp=True)[:, 0, channel].flatten()
        assert clamped.tolist() == [float(bound[channel]) for bound in (scaler.low, scaler.center, scaler.high)]


# Steps --------------------------------------------------------------------------------------------------------------


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
