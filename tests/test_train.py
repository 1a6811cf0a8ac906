"""The training loop: learns, stops, restores, resumes and repeats itself."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import make_data
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from bench.context import RunContext, resolve_device
from bench.errors import DeviceError, TrainingError
from bench.scoring import EVALUATION_BATCH, forecast_sums, physical_forecast
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, _optimizer

CPU = torch.device("cpu")
SHORT = TrainSettings(epochs=4, batch_size=16, steps_per_epoch=6)


class Small(nn.Module):
    """A linear map per cell with dropout, a frozen layer and a buffer."""

    def __init__(self, task, dropout=0.2, noise=0.0):
        super().__init__()
        self.noise = noise
        self.horizon = task.shape.horizon
        self.drop = nn.Dropout(dropout)
        self.linear = nn.Linear(task.shape.history, self.horizon)
        self.frozen = nn.Linear(2, 2).requires_grad_(requires_grad=False)

    def forward(self, window):
        if self.training and self.noise:  # from generators that a third party's model may use
            window = replace(window, history=window.history + self.noise * (random.random() + np.random.rand()))  # noqa: NPY002
        return self.linear(self.drop(window.history).movedim(1, -1)).movedim(-1, 1)


class Interrupted(Exception):  # noqa: N818 - stands for kill -9
    pass


def start(seed=0, settings=SHORT, noise=0.0):
    context = RunContext(seed=seed, device=CPU)
    context.begin()
    task = Task(make_data(slots=300), TaskSettings(name="short"), CPU)
    model = Small(task, noise=noise)
    return Trainer(model, task, settings, context), model


def test_training_lowers_the_validation_error():
    trainer, _ = start(settings=replace(SHORT, epochs=12, steps_per_epoch=0))
    training = trainer.run()
    assert training.curve[-1]["val_mae"] < 0.6 * training.curve[0]["val_mae"]
    assert training.best_epoch == min(training.curve, key=lambda row: row["val_mae"])["epoch"]


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not():
    weights = []
    for seed in (0, 0, 1):
        trainer, model = start(seed)
        trainer.run()
        weights.append(model.linear.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_model_is_trained_in_training_mode_and_validated_in_evaluation_mode():
    trainer, model = start(settings=replace(SHORT, epochs=2))
    modes = []
    model.register_forward_pre_hook(lambda module, _: modes.append((module.training, torch.is_grad_enabled())))
    trainer.run()
    batches = len(trainer.task.val.positions(EVALUATION_BATCH))
    assert modes == 2 * ([(True, True)] * SHORT.steps_per_epoch + [(False, False)] * batches)
    assert not model.training


@pytest.mark.parametrize("killed_after", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["onecycle", "cosine"])
def test_a_killed_run_ends_exactly_as_one_that_was_never_killed(tmp_path, killed_after, schedule):
    settings = replace(SHORT, schedule=schedule)
    trainer, undisturbed = start(settings=settings, noise=0.1)
    wanted = trainer.run()

    def kill(row):
        if row["epoch"] == killed_after:
            raise Interrupted

    checkpoint = tmp_path / "run.pt"
    trainer, _ = start(settings=settings, noise=0.1)
    with pytest.raises(Interrupted):
        trainer.run(checkpoint, kill)
    trainer, resumed = start(settings=settings, noise=0.1)
    torch.rand(7), np.random.rand(7), random.random()  # noqa: NPY002 - whatever else drew a random number since
    got = trainer.run(checkpoint)
    assert got.curve == wanted.curve
    assert got.best_epoch == wanted.best_epoch
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_checkpoint_holds_no_frozen_parameter(tmp_path):
    trainer, _ = start()
    trainer.run(tmp_path / "run.pt")
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    assert set(state["model"]) == {"linear.weight", "linear.bias"}


def test_a_checkpoint_of_other_frozen_weights_is_refused(tmp_path):
    start()[0].run(tmp_path / "run.pt")
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    assert state["frozen"] == start()[0].frozen
    _, other = start()
    other.frozen.weight.data += 1e-6
    context, task = RunContext(seed=0, device=CPU), start()[0].task
    with pytest.raises(TrainingError, match="around other frozen weights"):
        Trainer(other, task, SHORT, context).run(tmp_path / "run.pt")


def test_the_optimizer_is_one_kernel_on_a_gpu_alone():
    with FakeTensorMode() as fakes:
        on_gpu = FakeTensor(fakes, torch.empty(3, 2, device="meta", requires_grad=True), torch.device("cuda", 0))
        assert _optimizer({"weight": on_gpu}, SHORT).param_groups[0]["fused"] is True
    assert start()[0].optimizer.param_groups[0]["fused"] is None


def test_a_checkpoint_of_a_gpu_goes_on_here_as_one_of_this_device(tmp_path):
    trainer, _ = start()
    trainer.run(tmp_path / "run.pt")
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    for group in state["optimizer"]["param_groups"]:
        group["fused"] = True
    torch.save(state, tmp_path / "gpu.pt")
    other, _ = start()
    other._load(tmp_path / "gpu.pt")
    assert {group["fused"] for group in other.optimizer.param_groups} == {None}


def test_a_broken_checkpoint_is_one_sentence(tmp_path):
    (tmp_path / "run.pt").write_bytes(b"not a checkpoint")
    trainer, _ = start()
    with pytest.raises(TrainingError, match=r"run.pt cannot be read; delete it and run again$"):
        trainer.run(tmp_path / "run.pt")


def test_frozen_parameters_do_not_move():
    trainer, model = start()
    before = model.frozen.weight.clone()
    trainer.run()
    assert torch.equal(before, model.frozen.weight)
    assert model.frozen.weight.grad is None


def test_training_stops_when_validation_does_not_improve():
    trainer, _ = start(settings=replace(SHORT, epochs=50, lr=1e-12, patience=3))
    rounds = iter([2.0, 1.0, 1.5, 1.5, 1.5, 0.5])
    trainer._validate = lambda: (next(rounds), None)
    training = trainer.run()
    assert len(training.curve) == 5
    assert training.best_epoch == 2


def test_a_loss_that_is_not_finite_is_one_sentence():
    trainer, model = start()
    with torch.no_grad():
        model.linear.weight.fill_(math.nan)
    with pytest.raises(TrainingError, match="epoch 1 ended with training loss nan"):
        trainer.run()


@pytest.mark.parametrize("loss", ["l1", "mse", "huber"])
def test_the_loss_ignores_missing_values(loss):
    data = make_data(slots=300)
    trainer, _ = start(settings=replace(SHORT, loss=loss))
    mask = torch.ones(data.values.shape, dtype=torch.bool).numpy()
    mask[:, :, 0, 0] = False
    wild = data.values.copy()
    wild[:, :, 0, 0] = 1e9
    losses = []
    for values in (data.values, wild):
        task = Task(make_data(slots=300, values=values, mask=mask), TaskSettings(name="short"), CPU)
        torch.manual_seed(0)
        losses.append(Trainer(Small(task, dropout=0), task, replace(SHORT, loss=loss), trainer.context).run().curve)
    assert losses[0] == losses[1]


def test_clamped_forecasts_stay_in_the_range_the_scaler_saw():
    task = Task(make_data(slots=300), TaskSettings(name="short", clamp=True), CPU)
    forecast = physical_forecast(torch.tensor([-50.0, 0, 50]).view(3, 1, 1, 1, 1), task.scaler, clamp=True)
    assert forecast.amin() == task.scaler.low.amin()
    assert forecast.amax() == task.scaler.high.amax()


@pytest.mark.parametrize("name", ["last_value", "window_mean", "historical_average"])
def test_batch_size_one_and_512_give_identical_scores(name):
    from bench.catalog import registry

    task = Task(make_data(slots=300), TaskSettings(name="short"), CPU)
    module = registry.load("model", name)
    model = module.Model(task.shape, module.Config())
    if hasattr(model, "fit"):
        model.fit(task.series)
    scores = [forecast_sums(model, task.val, mape_threshold=1, batch_size=size).scores() for size in (1, 512)]
    assert scores[0] == scores[1]


@pytest.mark.parametrize("name", ["stid", "convlstm"])
def test_batch_size_changes_the_score_of_a_neural_model_in_the_last_bits_at_most(name):
    from bench.catalog import registry

    task = Task(make_data(slots=300), TaskSettings(name="short"), CPU)
    module = registry.load("model", name)
    torch.manual_seed(0)
    model = module.Model(task.shape, module.Config()).eval()
    one, many = (forecast_sums(model, task.val, mape_threshold=1, batch_size=size).scores() for size in (1, 512))
    for metric in ("mae", "rmse"):
        assert one[metric].overall == pytest.approx(many[metric].overall, rel=1e-6)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "mps"])
def test_a_device_that_is_not_there_is_an_error_and_never_the_cpu(name):
    with pytest.raises(DeviceError):
        resolve_device(name)
