"""The naive baselines, ridge, ST-ResNet, STID and ConvLSTM, each against a slow version of itself."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from models import SLOTS, build, make_series, make_window, size_of, task_shape
from torch import Tensor, nn

from baselines import convlstm, historical_average, last_value, ridge, stid, stresnet, window_mean
from bench.catalog import registry
from bench.types import Series, TaskShape


@pytest.mark.parametrize(("name", "days"), [("seasonal_naive_day", 1), ("seasonal_naive_week", 7)])
def test_the_seasonal_naive_forecast_is_the_past_as_it_was(name: str, days: int) -> None:
    season = registry.load("model", name).DAYS_BACK.index(days)
    window = make_window(task_shape(), model=name)
    assert window.past is not None
    assert torch.equal(build(name, task_shape())(window), window.past[:, season])


def slow_ridge(series: Series, shape: TaskShape, penalty: float, cell: tuple[int, int]) -> Tensor:
    """The weights of one cell by an augmented least-squares problem, example by example."""
    inputs, outputs = [], []
    for origin in range(shape.history, len(series.values) - shape.horizon + 1):
        past, future = (slice(origin - shape.history, origin), slice(origin, origin + shape.horizon))
        if series.mask[future, :, *cell].all():
            calendar = torch.zeros(shape.slots_per_day + 7)
            calendar[series.clock[origin, 0]] = calendar[shape.slots_per_day + series.clock[origin, 1]] = 1
            inputs.append(torch.cat((series.values[past, :, *cell].flatten(), calendar)))
            outputs.append(series.values[future, :, *cell].flatten())
    x, y = torch.stack(inputs).double(), torch.stack(outputs).double()
    size = x.shape[1]
    root = (penalty * len(x)) ** 0.5 * torch.eye(size, dtype=x.dtype)
    rows, targets = torch.cat((x, root)), torch.cat((y, y.new_zeros(size, y.shape[1])))
    return torch.linalg.lstsq(rows, targets).solution


@pytest.mark.parametrize("observed", [1.0, 0.9])
def test_ridge_solves_each_cell_by_itself(monkeypatch: pytest.MonkeyPatch, observed: float) -> None:
    monkeypatch.setattr(ridge, "CHUNK", 17)
    shape = task_shape((2, 3), channels=2, horizon=2, history=3, slots=4)
    series = make_series(shape, 120, observed)
    model = ridge.Model(shape, ridge.Config(penalty=0.01))
    model.fit(series)
    for number, cell in enumerate((row, column) for row in range(2) for column in range(3)):
        wanted = slow_ridge(series, shape, 0.01, cell)
        torch.testing.assert_close(model.weights[number].double(), wanted, rtol=1e-4, atol=1e-5)


def test_ridge_forecasts_a_linear_series_and_without_calendar_keeps_a_level() -> None:
    shape = task_shape((1, 2), channels=1, horizon=2, history=2, slots=4)
    values = torch.tensor([0.0, 1.0]).repeat(40).cumsum(0).sub(10).div(10).view(-1, 1, 1, 1).expand(-1, 1, 1, 2)
    series = dataclasses.replace(
        make_series(shape, 80), values=values.contiguous(), mask=torch.ones(80, 1, 1, 2).bool()
    )
    model = ridge.Model(shape, ridge.Config(penalty=1e-9, calendar=False))
    model.fit(series)
    window = dataclasses.replace(make_window(shape, batch=1), history=values[None, 50:52])
    torch.testing.assert_close(model(window)[0], values[52:54], rtol=1e-3, atol=1e-3)
    assert model.weights.shape == (2, 3, 2)


def test_st_resnet_has_the_weights_of_its_equations() -> None:
    shape, config = task_shape((5, 4), channels=2, horizon=3, history=4), stresnet.Config(width=6, units=2, external=7)
    branches = 0
    for steps in (4, 3 * 3, 1 * 3):
        first, unit, last = (9 * 2 * steps + 1) * 6, 2 * (9 * 6 + 1) * 6, (9 * 6 + 1) * 6
        branches += first + 2 * unit + last  # F*C = 6 outputs, as many as the width
    dense = (SLOTS + 7 + 1) * 7 + (7 + 1) * 6 * 20
    assert size_of(stresnet.Model(shape, config)) == branches + 3 * 6 * 20 + dense


def test_st_resnet_fuses_its_branches_cell_by_cell_and_adds_the_calendar() -> None:
    shape = task_shape((5, 4), channels=2, horizon=3, history=4)
    model, window = build("stresnet", shape), make_window(shape, model="stresnet")
    torch.nn.init.normal_(model.weights)
    past = window.past
    assert past is not None
    total = torch.zeros(3, 6, 5, 4)
    for number, frames in enumerate((window.history, past[:, :3], past[:, 3:])):
        found = model.branches[number](frames.reshape(3, -1, 5, 4))
        for row, column in ((row, column) for row in range(5) for column in range(4)):
            total[:, :, row, column] += model.weights[number, :, row, column] * found[:, :, row, column]
    calendar = torch.zeros(3, SLOTS + 7)
    for sample, (slot, day) in enumerate(window.horizon_clock[:, 0].tolist()):
        calendar[sample, slot] = calendar[sample, SLOTS + day] = 1
    total += model.external(calendar).view(3, 6, 5, 4)
    torch.testing.assert_close(model(window), total.view(3, 3, 2, 5, 4))
    without = stresnet.Model(shape, stresnet.Config(external=0))
    assert without.external is None
    assert without(window).shape == (3, 3, 2, 5, 4)


def test_st_resnet_begins_with_weights_by_glorot_and_without_biases() -> None:
    model = stresnet.Model(task_shape((5, 4), channels=2, horizon=3, history=4), stresnet.Config(width=32))
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == 3 * (2 + 2 * 4) + 2
    for layer in layers:
        taps = layer.weight[0, 0].numel()
        bound = (6 / (taps * (layer.weight.shape[0] + layer.weight.shape[1]))) ** 0.5
        assert 0.9 * bound < layer.weight.abs().max() <= bound
        assert layer.bias is not None
        assert not layer.bias.any()


def test_a_residual_unit_adds_two_pairs_of_relu_and_convolution() -> None:
    unit, hidden = stresnet.ResidualUnit(3), torch.randn(2, 3, 4, 5)
    first, second = unit.body[1], unit.body[3]
    wanted = hidden + second(torch.relu(first(torch.relu(hidden))))
    torch.testing.assert_close(unit(hidden), wanted)


def test_the_last_value_is_repeated() -> None:
    shape = task_shape()
    window = make_window(shape)
    forecast = last_value.Model(shape, last_value.Config())(window)
    for step in range(shape.horizon):
        assert torch.equal(forecast[:, step], window.history[:, -1])


def test_the_window_mean_is_the_sum_of_the_steps_over_their_number() -> None:
    shape = task_shape()
    window = make_window(shape)
    forecast = window_mean.Model(shape, window_mean.Config())(window)
    total = sum(window.history[:, step] for step in range(shape.history))
    for step in range(shape.horizon):
        torch.testing.assert_close(forecast[:, step], total / shape.history)


def slow_average(series: Series, slot: int, day: int, channel: int, row: int, column: int) -> float:
    """The mean that the docstring promises, from lists."""
    seen = [
        (tuple(series.clock[t].tolist()), (r, c), series.values[t, channel, r, c].item())
        for t in range(len(series.values))
        for r in range(series.values.shape[2])
        for c in range(series.values.shape[3])
        if series.mask[t, channel, r, c]
    ]
    here = [(when, value) for when, cell, value in seen if cell == (row, column)]
    levels = (
        [value for when, value in here if when == (slot, day)],
        [value for when, value in here if when[0] == slot],
        [value for _, value in here],
        [value for _, _, value in seen],
    )
    found = next((level for level in levels if level), [0.0])
    return sum(found) / len(found)


@pytest.mark.parametrize(("steps", "observed"), [(60, 1.0), (60, 0.3), (20, 0.3), (9, 0.1), (5, 0.0)])
def test_the_historical_average_is_the_mean_of_lists_with_its_fallbacks(
    monkeypatch: pytest.MonkeyPatch, steps: int, observed: float
) -> None:
    monkeypatch.setattr(historical_average, "CHUNK", 13)
    shape = task_shape((2, 2), channels=2, horizon=21, slots=3)
    series = make_series(shape, steps, observed, seed=steps)
    series.mask[:, 0, 1, 1] = False  # a cell that was never observed
    model = historical_average.Model(shape, historical_average.Config())
    model.fit(series)
    every = torch.tensor([[[slot, day] for day in range(7) for slot in range(3)]])
    history = make_window(shape, batch=1)
    forecast = model(dataclasses.replace(history, horizon_clock=every))
    for step, (slot, day) in enumerate(every[0].tolist()):
        for channel, row, column in ((0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 0)):
            wanted = slow_average(series, slot, day, channel, row, column)
            assert forecast[0, step, channel, row, column].item() == pytest.approx(wanted, abs=1e-5)


def test_a_masked_value_never_enters_the_historical_average() -> None:
    shape = task_shape((2, 2), slots=3)
    series = make_series(shape, 40, observed=0.5)
    spoilt = dataclasses.replace(series, values=series.values.where(series.mask, torch.nan))
    tables = []
    for given in (series, spoilt):
        model = historical_average.Model(shape, historical_average.Config())
        model.fit(given)
        tables.append(model.table)
    assert torch.equal(*tables)


def test_a_historical_average_is_nan_until_fitted_and_survives_its_state_dict() -> None:
    shape = task_shape((2, 2))
    window = make_window(shape)
    fitted, empty = build("historical_average", shape), historical_average.Model(shape, historical_average.Config())
    assert empty(window).isnan().all()
    empty.load_state_dict(fitted.state_dict())
    assert torch.equal(empty(window), fitted(window))


def test_stid_has_the_parameters_of_its_formula() -> None:
    shape, width, layers = task_shape((4, 5), channels=2, horizon=3, history=6), 8, 2
    model = stid.Model(shape, stid.Config(width=width, layers=layers))
    hidden = 4 * width
    tables = (4 * 5 + SLOTS + 7) * width
    inputs = (6 * 2 + 1) * width
    outputs = (hidden + 1) * 3 * 2
    assert size_of(model) == tables + inputs + layers * 2 * (hidden + 1) * hidden + outputs


def test_stid_is_an_mlp_on_each_cell_and_its_identities() -> None:
    shape = task_shape((2, 3))
    model, window = build("stid", shape), make_window(shape, batch=2)
    assert isinstance(model, stid.Model)
    with torch.no_grad():
        forecast = model(window)
        for batch, row, column in ((0, 0, 0), (1, 1, 2), (0, 1, 0)):
            slot, day = window.history_clock[batch, -1].tolist()
            past = [window.history[batch, p, c, row, column] for p in range(shape.history) for c in range(2)]
            series = model.series.weight @ torch.stack(past) + model.series.bias
            hidden = torch.cat((series, model.cell[row * 3 + column], model.slot[slot], model.day[day]))
            for layer in model.layers:
                first, last = layer.body[0], layer.body[3]
                inner = (first.weight @ hidden + first.bias).clamp(min=0)
                hidden = hidden + last.weight @ inner + last.bias
            wanted = (model.head.weight @ hidden + model.head.bias).view(shape.horizon, shape.channels)
            torch.testing.assert_close(forecast[batch, :, :, row, column], wanted)


def naive_step(
    layer: convlstm.ConvLSTM, inputs: Tensor | None, hidden: Tensor, memory: Tensor
) -> tuple[Tensor, Tensor]:
    """The equations of the paper, one gate at a time."""
    width = hidden.shape[1]

    def gate(index: int) -> Tensor:
        rows = slice(index * width, (index + 1) * width)
        total = nn.functional.conv2d(hidden, layer.from_hidden.weight[rows], layer.from_hidden.bias[rows], padding=1)
        if inputs is not None:
            total = total + nn.functional.conv2d(inputs, layer.from_input.weight[rows], padding=1)
        return total

    into = torch.sigmoid(gate(0) + layer.peephole[0] * memory)
    forget = torch.sigmoid(gate(1) + layer.peephole[1] * memory)
    after = forget * memory + into * torch.tanh(gate(2))
    out = torch.sigmoid(gate(3) + layer.peephole[2] * after)
    return out * torch.tanh(after), after


def test_convlstm_follows_the_equations_of_its_paper() -> None:
    shape = task_shape((4, 5))
    torch.manual_seed(0)
    model, window = convlstm.Model(shape, convlstm.Config(width=3, layers=2)), make_window(shape)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "peephole" in name:  # they start at 0
                weight.normal_()
        states = [(torch.zeros(3, 3, 4, 5), torch.zeros(3, 3, 4, 5))] * 2
        for step in range(shape.history):
            below = window.history[:, step]
            for depth, layer in enumerate(model.encoder):
                states[depth] = naive_step(layer, below, *states[depth])
                below = states[depth][0]
        frames = []
        for _ in range(shape.horizon):
            below = None
            for depth, layer in enumerate(model.forecaster):
                states[depth] = naive_step(layer, below, *states[depth])
                below = states[depth][0]
            joined = torch.cat([state[0] for state in states], dim=1)
            frames.append(
                torch.einsum("oi,bihw->bohw", model.head.weight[:, :, 0, 0], joined) + model.head.bias[:, None, None]
            )
        torch.testing.assert_close(model(window), torch.stack(frames, dim=1))


@pytest.mark.parametrize("peepholes", [True, False])
def test_convlstm_has_the_parameters_of_its_formula(peepholes: bool) -> None:
    shape, width = task_shape((4, 5), channels=2), 3
    model = convlstm.Model(shape, convlstm.Config(width=width, layers=2, kernel=5, peepholes=peepholes))
    layer = 4 * width * (width * 25 + 1) + (3 * width * 4 * 5 if peepholes else 0)
    inputs = 4 * width * 25 * (2 + width + 0 + width)  # encoder from channels and states, forecaster from states alone
    assert size_of(model) == 4 * layer + inputs + (2 * width + 1) * 2
