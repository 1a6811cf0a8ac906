"""DLinear and ST-Norm: each against slow code, and each setting for what it promises."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from models import build, make_window, size_of, task_shape, with_statistics
from torch import Tensor, nn

from baselines import dlinear, stnorm


def slow_average(values: list[float], kernel: int) -> list[float]:
    """The mean of each window of a list whose borders repeat their value."""
    last, reach = len(values) - 1, kernel // 2
    return [
        sum(values[min(max(t + step, 0), last)] for step in range(-reach, reach + 1)) / kernel for t in range(last + 1)
    ]


def test_dlinear_has_two_maps_whatever_the_grid() -> None:
    for grid, channels in (((2, 3), 1), ((10, 20), 2)):
        shape = task_shape(grid, channels, horizon=6, history=6)
        assert size_of(build("dlinear", shape)) == 2 * (6 + 1) * 6


@pytest.mark.parametrize(
    ("longest", "history", "wanted"),
    [(25, 64, 25), (25, 25, 25), (25, 24, 23), (25, 6, 5), (3, 6, 3), (25, 4, 3), (25, 1, 3)],
)
def test_dlinears_kernel_is_odd_and_fits_the_history(longest: int, history: int, wanted: int) -> None:
    assert dlinear.fitting_kernel(longest, history) == wanted


def test_dlinears_trend_by_hand() -> None:
    trend = dlinear.moving_average(torch.tensor([[3.0, 0.0, 6.0, 9.0]]), 3)
    torch.testing.assert_close(trend, torch.tensor([[2.0, 3.0, 5.0, 8.0]]))


@pytest.mark.parametrize("kernel", [3, 5])
def test_dlinears_trend_is_the_mean_of_lists_with_repeated_borders(kernel: int) -> None:
    series = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    trend = dlinear.moving_average(series, kernel)
    for row in range(2):
        for column in range(3):
            assert trend[row, column].tolist() == pytest.approx(
                slow_average(series[row, column].tolist(), kernel), abs=1e-6
            )


def test_dlinear_maps_remainder_and_trend_of_each_series_by_itself() -> None:
    shape = task_shape((2, 3), channels=2, horizon=3, history=8)
    model, window = dlinear.Model(shape, dlinear.Config(kernel=5)), make_window(shape)
    with torch.no_grad():
        forecast = model(window)
        for batch, channel, row, column in ((0, 0, 0, 0), (1, 1, 1, 2), (2, 0, 1, 0)):
            past = window.history[batch, :, channel, row, column]
            trend = torch.tensor(slow_average(past.tolist(), 5))
            wanted = model.remainder.weight @ (past - trend) + model.remainder.bias
            wanted = wanted + model.trend.weight @ trend + model.trend.bias
            torch.testing.assert_close(forecast[batch, :, channel, row, column], wanted)


def test_another_kernel_gives_dlinear_another_trend() -> None:
    shape = task_shape(history=8)
    short, long = (dlinear.Model(shape, dlinear.Config(kernel=kernel)) for kernel in (3, 7))
    long.load_state_dict(short.state_dict())
    with torch.no_grad():
        assert not torch.allclose(short(make_window(shape)), long(make_window(shape)), atol=1e-3)


@pytest.mark.parametrize(("history", "layers"), [(64, 6), (16, 4), (6, 3), (4, 2), (1, 1)])
def test_stnorm_has_the_layers_to_see_the_whole_history_and_no_more(history: int, layers: int) -> None:
    model = stnorm.Model(task_shape(history=history), stnorm.Config())
    assert len(model.gates) == layers
    assert model.missing == 2**layers - history


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize(("temporal", "spatial"), [(True, True), (True, False), (False, True), (False, False)])
def test_stnorm_has_the_parameters_of_its_formula(width: int, temporal: bool, spatial: bool) -> None:
    shape = task_shape((2, 3), channels=2, horizon=5, history=6)
    model = stnorm.Model(shape, stnorm.Config(width=width, temporal=temporal, spatial=spatial))
    norms = 2 * width * 6 * temporal + 2 * width * spatial
    gate = 2 * width * (2 * (1 + temporal + spatial) * width + 1)
    square = (width + 1) * width
    ends = (2 + 1) * width + square + (width + 1) * 5 * 2
    assert size_of(model) == ends + 3 * (norms + gate + square) + 2 * square


def slow_views(gate: stnorm.GatedConvolution, hidden: Tensor) -> Tensor:
    """The raw and the two normalised values of ``[B, D, N, T]``, one cell or one step at a time."""
    temporal, spatial = (torch.empty_like(hidden) for _ in range(2))
    norm, space = gate.norms[0].norm, gate.norms[1]
    _, width, cells, steps = hidden.shape
    for channel in range(width):
        for cell in range(cells):
            at = channel * cells + cell
            centred = (hidden[:, channel, cell] - norm.running_mean[at]) / (norm.running_var[at] + 1e-5).sqrt()
            temporal[:, channel, cell] = centred * norm.weight[at] + norm.bias[at]
        for step in range(steps):
            now = hidden[:, channel, :, step]
            variance = now.var(dim=1, correction=1, keepdim=True)
            centred = (now - now.mean(dim=1, keepdim=True)) / (variance + 1e-5).sqrt()
            spatial[:, channel, :, step] = centred * space.weight[channel] + space.bias[channel]
    return torch.cat((hidden, temporal, spatial), dim=1)


def test_stnorm_is_a_wavenet_over_raw_and_twice_normalised_values() -> None:
    shape = task_shape((2, 3), channels=2, horizon=3, history=6)
    torch.manual_seed(0)
    model, window = stnorm.Model(shape, stnorm.Config(width=4)), make_window(shape, batch=2)
    with_statistics(model)
    for gate in model.gates:
        for values in (gate.norms[1].weight, gate.norms[1].bias):
            nn.init.normal_(values)
    with torch.no_grad():
        past = torch.cat((torch.zeros(2, 2, 2, 6), window.history.flatten(3)), dim=1)  # two steps of zeros in front
        hidden = model.start(past.permute(0, 2, 3, 1))
        total = torch.zeros(2, 4, 6, 1)
        for depth, gate in enumerate(model.gates):
            views, kernel, reach = slow_views(gate, hidden), gate.convolution.weight, 2**depth
            both = [
                torch.einsum("oi,bin->bon", kernel[..., 0, 0], views[..., step - reach])
                + torch.einsum("oi,bin->bon", kernel[..., 0, 1], views[..., step])
                + gate.convolution.bias[:, None]
                for step in range(reach, hidden.shape[-1])
            ]
            passed = torch.stack([step[:, :4].tanh() * step[:, 4:].sigmoid() for step in both], dim=-1)
            total = total + model.skips[depth](passed)[..., -1:]
            if depth < 2:
                hidden = model.residuals[depth](passed) + hidden[..., reach:]
        wanted = model.head[3](model.head[1](total.relu()).relu()).reshape(2, 3, 2, 2, 3)
        torch.testing.assert_close(model(window), wanted, rtol=1e-4, atol=1e-5)


def test_stnorms_temporal_norm_is_over_batch_and_steps_of_each_cell_in_training() -> None:
    torch.manual_seed(0)
    hidden = 2 + 3 * torch.randn(4, 2, 3, 5)  # [B, D, N, T]
    normed = stnorm.TemporalNorm(width=2, cells=3)(hidden)
    torch.testing.assert_close(normed.mean(dim=(0, 3)), torch.zeros(2, 3), rtol=0, atol=1e-5)
    torch.testing.assert_close(normed.var(dim=(0, 3), correction=0), torch.ones(2, 3), rtol=1e-3, atol=0)


def test_a_lone_cell_stands_nowhere_in_space() -> None:
    assert stnorm.SpatialNorm(2)(torch.randn(3, 2, 1, 4)).eq(0).all()


@pytest.mark.parametrize("spatial", [True, False])
def test_only_stnorms_spatial_norm_lets_cells_meet(spatial: bool) -> None:
    shape = task_shape((2, 3))
    model, window = stnorm.Model(shape, stnorm.Config(spatial=spatial)).eval(), make_window(shape)
    history = window.history.clone()
    history[..., 0, 0] += 1
    with torch.no_grad():
        change = model(dataclasses.replace(window, history=history)) - model(window)
    assert change[..., 0, 0].abs().max() > 1e-4
    assert (change[..., 1:, :].abs().max() > 1e-4) == spatial
