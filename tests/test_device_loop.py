"""Inside an epoch the loop sends a device no values and asks it for none: seen on torch's meta device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from builders import make_data
from device_traffic import DEVICE, watched
from torch import Tensor, nn

from bench import train
from bench.catalog import registry
from bench.context import RunContext, flags_kept
from bench.forecast import forecasts
from bench.scoring import _Keeper
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task, task_for
from bench.train import Trainer, learning, make_model
from bench.types import ModelPlugin, Window

CPU = torch.device("cpu")
DATA = make_data(slots=480, grid=(4, 4))
STEPS = 2
SETTINGS = TrainSettings(epochs=3, steps_per_epoch=STEPS, batch_size=4, precision="fp32")
ORDER, MEAN_LOSS = "aten._to_copy.default", "aten._local_scalar_dense.default"


@pytest.fixture(autouse=True)
def any_kernel() -> Iterator[None]:
    """Whatever another test has asked torch for: this device has no kernels, and torch would warn of those of a GPU."""
    with flags_kept():
        torch.set_deterministic_debug_mode("default")
        yield


@pytest.fixture(autouse=True)
def no_digest_of_frozen_weights(monkeypatch: pytest.MonkeyPatch, no_weights: None) -> None:
    """They have no values on this device."""
    monkeypatch.setattr(train, "tensors_sha256", lambda tensors: "")


def made(plugin: ModelPlugin, config: dict[str, object], **asked: Any) -> tuple[Task, nn.Module]:
    """A task on the device, and a model for it."""
    task = task_for(plugin, DATA, TaskSettings(name="short", **asked), DEVICE)
    return task, make_model(plugin, config, task.shape, CPU).to(DEVICE)


def training_traffic(task: Task, model: nn.Module) -> tuple[list[str], list[str]]:
    """Copies to the device in an epoch, and waits for it."""
    trainer = Trainer(model, task, SETTINGS, RunContext(seed=0, device=DEVICE))
    with watched():
        trainer._train_epoch()  # what a task keeps on the device is put there once
    with watched() as traffic:
        trainer._train_epoch()
    return traffic.copies, traffic.waits


def forecasting_traffic(task: Task, model: nn.Module) -> tuple[list[str], list[str]]:
    """The same of forecasts of a whole split."""
    task.val.window(torch.zeros(1, dtype=torch.long, device=DEVICE))
    with watched() as traffic, torch.inference_mode():
        for chosen in task.val.positions(64):
            forecasts(model.eval(), task.val, chosen, "fp32")
    return traffic.copies, traffic.waits


def test_the_few_forecasts_that_a_scoring_keeps_are_not_waited_for() -> None:
    task, _ = made(registry.load("model", "dlinear"), {})
    keeper = _Keeper(task.val, 8, whole=True)
    scaled = torch.empty(8, 6, 2, 4, 4, device=DEVICE)
    with watched() as traffic:
        for chosen in task.val.positions(8):
            keeper.keep(chosen, scaled[: len(chosen)])
    assert len(keeper.batches) == 3
    assert (traffic.copies, traffic.waits) == ([], [])


PACKAGED = {"chronos_bolt"}  # whose own package makes constants as it goes


def gradient_models() -> list[str]:
    """All but naive baselines, fits in closed form and what other packages compute."""
    ours = [name for name in registry.model_names() if name not in PACKAGED]
    return [name for name in ours if registry.role(name) == "model" and not registry.is_fitted(name)]


@pytest.mark.parametrize("name", gradient_models())
def test_no_batch_is_copied_to_the_device_or_waited_for(name: str) -> None:
    task, model = made(registry.load("model", name), asdict(registry.config_class(name)()))
    if learning(model) == "steps":
        assert training_traffic(task, model) == ([ORDER], [MEAN_LOSS])
    assert forecasting_traffic(task, model) == ([], [])


@pytest.mark.parametrize("loss", ["l1", "mse", "huber"])
def test_no_loss_is_waited_for(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SETTINGS", replace(SETTINGS, loss=loss, schedule="cosine", clip=0))
    assert training_traffic(*made(registry.load("model", "dlinear"), {})) == ([ORDER], [MEAN_LOSS])


def test_days_before_are_put_on_the_device_once() -> None:
    assert training_traffic(*made(registry.load("model", "stid"), {}, days_back="7,1")) == ([ORDER], [MEAN_LOSS])


def test_several_passes_over_few_windows_are_one_copy() -> None:
    task, model = made(registry.load("model", "dlinear"), {}, fraction=0.01)
    assert len(task.train) < STEPS * SETTINGS.batch_size
    assert training_traffic(task, model) == ([ORDER], [MEAN_LOSS])


class Careless(nn.Module):
    """A model of which one step does what is named."""

    def __init__(self, mistake: str) -> None:
        super().__init__()
        self.mistake, self.weight = mistake, nn.Parameter(torch.ones(1))
        self.table = torch.ones(4, 1)

    def forward(self, window: Window) -> Tensor:
        history = window.history
        factors = {
            "tensor": lambda: torch.tensor([2.0], device=history.device),
            "new_tensor": lambda: history.new_tensor([2.0]),
            "to": lambda: self.table[0].to(history.device),
            "index": lambda: history[[0, 1]].mean(),
            "item": lambda: history.mean().item(),
            "tolist": lambda: float(history.mean().cpu()),
            "if": lambda: 1.0 if (history > 0).any() else 2.0,
        }
        return history * self.weight * factors[self.mistake]()


@pytest.mark.parametrize("mistake", ["tensor", "new_tensor", "to", "index", "item", "tolist", "if"])
def test_a_copy_and_a_wait_are_seen(mistake: str) -> None:
    plugin = SimpleNamespace(Config=Settings, Model=lambda shape, settings: Careless(settings.mistake))
    copies, waits = training_traffic(*made(plugin, {"mistake": mistake}))
    assert len(copies) + len(waits) == STEPS + 2


@dataclass(frozen=True)
class Settings:
    mistake: str
