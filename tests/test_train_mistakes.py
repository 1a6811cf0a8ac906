"""Mistakes of a training loop that leave a model which still learns, each made impossible to overlook."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_data
from torch import Tensor
from training import CPU, SHORT, Map, gappy, same, start, told

from bench.context import RunContext
from bench.scoring import forecast_sums, physical_forecast
from bench.settings import TaskSettings
from bench.task import Task
from bench.train import Trainer
from bench.windows import WindowSet

DRAWS = {"torch": lambda: float(torch.rand(())), "numpy": np.random.rand, "python": random.random}


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
    for chosen in trainer.task.train.drawn(trainer.steps, settings.batch_size, order):
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
    assert trainer._validate()[0] == clamped
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
