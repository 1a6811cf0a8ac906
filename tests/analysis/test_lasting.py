"""The variance of a mean over time against slow loops, and against noise whose true variance is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.stats import t

from bench.analysis.stats.lasting import LASTING, slow_waves, variance_of_mean

DRAWS = 20_000


def covariance(windows, per_day, halved):
    """Of noise of variance 1, half of which is gone after so many hours."""
    hours = np.arange(windows) * 24 / per_day
    return np.eye(windows) if halved == 0 else toeplitz(0.5 ** (hours / halved))


def mixed(windows, per_day):
    """Noise of which an eighth of the variance lasts."""
    return covariance(windows, per_day, 0) + 0.12 * covariance(windows, per_day, LASTING)


def size(truth, per_day):
    """How often a t test at 5 % rejects the true mean of noise of this covariance ``[N, N]``, and at 1 %."""
    waves, raised = slow_waves(len(truth), per_day)
    rows = np.vstack([np.full(len(truth), len(truth) ** -0.5), waves])
    drawn = np.linalg.cholesky(rows @ truth @ rows.T) @ np.random.default_rng(1).normal(size=(len(rows), DRAWS))
    p = 2 * t.sf(np.abs(drawn[0]) / np.sqrt((raised[:, None] * drawn[1:] ** 2).mean(axis=0)), len(raised))
    return np.mean(p < 0.05), np.mean(p < 0.01)


@pytest.mark.parametrize("per_day", [24, 48])
@pytest.mark.parametrize("days", [9, 27])
@pytest.mark.parametrize("halved", [0, 6, 24, 48])
def test_a_true_mean_is_rejected_in_5_of_100_cases_at_most_however_long_the_noise_lasts(halved, days, per_day):
    five, one = size(covariance(days * per_day, per_day, halved), per_day)
    assert five < 0.055  # three standard errors of so many draws above the level
    assert one < 0.013


@pytest.mark.parametrize("days", [9, 27, 60])
def test_so_it_is_if_a_small_part_of_the_noise_lasts(days):
    assert size(mixed(days * 24, 24), 24)[0] < 0.055


def test_the_longest_noise_that_is_assumed_is_judged_exactly():
    assert size(covariance(60 * 24, 24, LASTING), 24)[0] == pytest.approx(0.05, abs=0.006)


def test_the_variance_is_that_of_a_slow_loop():
    series, per_day = np.random.default_rng(2).normal(size=(9 * 24, 2)), 24
    variance, freedom = variance_of_mean(series, per_day)
    windows, kept = len(series), 0.5 ** (24 / (per_day * LASTING))

    def of_autoregression(weights):
        return sum(
            weights[first] * weights[second] * kept ** abs(first - second)
            for first in range(windows)
            for second in range(windows)
        )

    energies = []
    for wave in range(1, freedom + 1):
        weights = [np.sqrt(2 / windows) * np.cos(np.pi * wave * (at + 0.5) / windows) for at in range(windows)]
        raised = of_autoregression([windows**-0.5] * windows) / of_autoregression(weights)
        energies.append([raised * sum(w * x for w, x in zip(weights, column, strict=True)) ** 2 for column in series.T])
    assert variance == pytest.approx(np.mean(energies, axis=0) / windows)


def test_a_daily_rhythm_is_less_uncertainty_of_the_mean_than_noise_of_its_variance():
    hour = np.arange(27 * 24)
    rhythm = np.sin(2 * np.pi * hour / 24)[:, None]
    variance, _ = variance_of_mean(rhythm, 24)
    assert variance[0] < 0.5 * rhythm.var() / len(hour)


def test_a_level_is_known_exactly():
    assert variance_of_mean(np.full((240, 1), 3.0), 24)[0] == pytest.approx(0, abs=1e-20)


def test_longer_test_periods_have_more_waves_that_are_raised_less():
    made = [slow_waves(days * 24, 24) for days in (9, 27, 60, 180)]
    assert [len(raised) for _, raised in made] == sorted({len(raised) for _, raised in made})
    assert made[0][1][0] > made[1][1][0] > made[2][1][0] > 1
    assert all((np.diff(raised) > 0).all() for _, raised in made)


def test_two_windows_are_enough_for_a_number():
    variance, freedom = variance_of_mean(np.array([[1.0], [3.0]]), 24)
    assert freedom == 1
    assert np.isfinite(variance).all()
