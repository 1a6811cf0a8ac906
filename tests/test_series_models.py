"""Models that see the grid as a set of series: each against slow code, and each setting for what it promises."""

from __future__ import annotations

import pytest
import torch
from test_models import build, make_window, size_of, task_shape

from baselines import dlinear


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
