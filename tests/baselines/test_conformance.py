"""What every model must keep, those of today and those to come: the tests run over the registry.

A model that hangs, or is far too slow for a CPU, fails by its time; importing its libraries is not counted.
"""

from __future__ import annotations

import dataclasses
from functools import cache

import pytest
import torch
from builders import make_data
from models import SLOTS, build, make_window, task_shape, trained
from torch import nn

from bench.catalog import registry
from bench.settings import TaskSettings
from bench.task import Task
from bench.types import Window

pytestmark = pytest.mark.timeout(10, func_only=True)
EVERY = registry.model_names()
NAIVE = [name for name in EVERY if registry.role(name) == "naive"]
GRIDS = ((10, 20), (16, 8), (16, 12), (28, 32), (32, 18), (15, 14))
FEW_CELLS = {"fracast": ((5, 3),)}  # which is slow, and forecasts each cell by itself
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def imported(name: str) -> None:
    """The model's libraries, before the clock of its test starts; some are imported when it is first made."""
    made_once(name)


@cache
def made_once(name: str) -> nn.Module:
    return build(name, task_shape())


def part_of(window: Window, rows: slice) -> Window:
    tensors = {field.name: getattr(window, field.name) for field in dataclasses.fields(window)}
    return Window(**{name: tensor[rows] for name, tensor in tensors.items() if tensor is not None})


@pytest.mark.parametrize(("channels", "horizon"), [(1, 6), (2, 6), (1, 12), (2, 12)])
@pytest.mark.parametrize(("name", "grid"), [(name, grid) for name in EVERY for grid in FEW_CELLS.get(name, GRIDS)])
def test_a_forecast_has_one_finite_float_per_step_channel_and_cell(
    name: str, grid: tuple[int, int], channels: int, horizon: int
) -> None:
    shape = task_shape(grid, channels, horizon, history=6)
    with torch.no_grad():
        forecast = build(name, shape)(make_window(shape, batch=2, model=name))
    assert forecast.shape == (2, horizon, channels, *grid)
    assert forecast.dtype == torch.float32
    assert forecast.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_a_forecast_is_the_same_in_any_batch(name: str) -> None:
    shape = task_shape()
    model, window = build(name, shape), make_window(shape, batch=4, model=name)
    with torch.no_grad():
        together = model(window)
        alone = torch.cat([model(part_of(window, slice(row, row + 1))) for row in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_a_forecast_depends_on_its_window_alone_and_leaves_it_as_it_was(name: str) -> None:
    shape = task_shape()
    model, window, same = (build(name, shape), *(make_window(shape, model=name) for _ in range(2)))
    with torch.no_grad():
        first = model(window).clone()
        model(make_window(shape, seed=1, model=name))
        assert torch.equal(model(window), first)
    for field in dataclasses.fields(Window):
        before, after = getattr(same, field.name), getattr(window, field.name)
        assert after is before is None or torch.equal(before, after)


@pytest.mark.parametrize("name", EVERY)
def test_a_horizon_and_a_history_of_64_steps_fit_every_model(name: str) -> None:
    shape = task_shape(history=64, horizon=64)
    with torch.no_grad():
        forecast = build(name, shape)(make_window(shape, batch=2, model=name))
    assert forecast.shape == (2, 64, 2, 6, 5)
    assert forecast.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_the_seed_alone_decides_the_weights(name: str) -> None:
    shape = task_shape()
    window = make_window(shape, model=name)
    models = [build(name, shape, seed) for seed in (5, 5, 6)]
    with torch.no_grad():
        first, again, other = (model(window) for model in models)
    assert torch.equal(first, again)
    drawn = list(models[0].parameters())
    assert torch.equal(first, other) if not drawn else not torch.allclose(first, other)


@pytest.mark.parametrize("name", EVERY)
def test_training_reaches_every_trained_weight_no_frozen_one_and_lowers_the_loss(name: str) -> None:
    shape = task_shape()
    model, window = build(name, shape).train(), make_window(shape, batch=8, model=name)
    if not trained(model):  # a naive baseline, or fitted, or frozen throughout
        assert not model(window).requires_grad
        return
    frozen = [weight for weight in model.parameters() if not weight.requires_grad]
    before = [weight.clone() for weight in frozen]
    assert lowers_the_loss(model, window)
    unreached = [name for name, weight in trained(model) if weight.grad is None or not weight.grad.any()]
    assert unreached == []
    assert all(weight.grad is None for weight in frozen)
    assert all(torch.equal(*pair) for pair in zip(frozen, before, strict=True))


def lowers_the_loss(model: nn.Module, window: Window) -> bool:
    """Whether it falls by a third within sixty steps towards a target that can be told from the last frame."""
    last, steps = window.history[:, -1:], window.horizon_clock.shape[1]
    target = torch.cat([0.5 * last + 0.1 * step for step in range(steps)], dim=1)
    optimiser = torch.optim.AdamW([weight for _, weight in trained(model)], lr=5e-3)
    first = None
    for _ in range(60):
        optimiser.zero_grad()
        loss = (model(window) - target).abs().mean()
        loss.backward()
        optimiser.step()
        first = loss.item() if first is None else first
        if loss.item() < 0.67 * first:
            return True
    return False


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("name", EVERY)
def test_what_follows_the_origin_changes_no_forecast(name: str, place: int) -> None:
    """From the data set through the task: scaler, windows, days before and fit see nothing of it."""
    data = make_data(slots=8 * SLOTS + 200)  # a week before the first validation window is known
    days_back = getattr(registry.load("model", name), "DAYS_BACK", ())
    origin = int(Task(data, TaskSettings(name="short"), CPU, days_back=days_back).val.origins[place])
    values = data.values.copy()
    values[origin:] = 1000 - 3 * values[origin:]
    forecasts, targets = [], []
    for given in (data, dataclasses.replace(data, values=values)):
        task = Task(given, TaskSettings(name="short"), CPU, days_back=days_back)
        chosen = torch.tensor([len(task.val) - 1 if place else 0])
        with torch.no_grad():
            forecasts.append(build(name, task.shape, series=task.series)(task.val.window(chosen)))
        targets.append(task.val.target(chosen)[0])
    assert (targets[0] != targets[1]).all()
    assert torch.equal(*forecasts)


@pytest.mark.parametrize("name", EVERY)
def test_settings_and_title_can_be_read_without_importing_the_model(name: str) -> None:
    module = registry.load("model", name)
    read = registry.config_class(name)
    preset = registry.find("model", name).preset
    assert dataclasses.asdict(read()) == dataclasses.asdict(module.Config(**preset))
    assert ":" in registry.describe(name)
    assert getattr(module, "ROLE", None) == ("naive" if name in NAIVE else None)


@pytest.mark.parametrize("name", NAIVE)
def test_a_naive_baseline_has_nothing_to_train(name: str) -> None:
    assert list(build(name, task_shape()).parameters()) == []
