"""Metrics against brute force, and against the mistakes they are meant to exclude."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.metrics import METRICS, SHOWN, WindowSums
from bench.scoring import window_sums

SHAPE = (5, 3, 2, 2, 3)  # B, F, C, H, W
FLOATS = st.floats(-1e3, 1e3, width=32)


def scores(forecast, target, valid, threshold=1.0, batch=64):
    parts = [torch.from_numpy(part).split(batch) for part in (forecast, target, valid)]
    rows = [window_sums(*one, threshold) for one in zip(*parts, strict=True)]
    return WindowSums(torch.cat(rows).numpy()).scores()


@pytest.mark.parametrize("pieces", [1, 2 * 36, 2**20])
def test_sums_do_not_depend_on_how_many_windows_are_summed_at_a_time(monkeypatch, pieces):
    drawn = np.random.default_rng(3)
    forecast, target = (torch.from_numpy(drawn.normal(size=SHAPE).astype(np.float32)) for _ in range(2))
    valid = torch.from_numpy(drawn.random(SHAPE) < 0.8)
    monkeypatch.setattr("bench.scoring.SUMMED", pieces)
    wanted = torch.stack(
        [window_sums(forecast[row : row + 1], target[row : row + 1], valid[row : row + 1], 0.5)[0] for row in range(5)]
    )
    before = [part.clone() for part in (forecast, target, valid)]
    torch.testing.assert_close(window_sums(forecast, target, valid, 0.5), wanted, rtol=0, atol=0)
    assert all(torch.equal(part, old) for part, old in zip((forecast, target, valid), before, strict=True))


def near(value):
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)


def brute_force(forecast, target, valid, threshold):
    """Every metric by a loop over single values."""
    pairs = [(float(forecast[index]), float(target[index])) for index in np.ndindex(forecast.shape) if valid[index]]
    if not pairs:
        return dict.fromkeys(METRICS)
    errors = [abs(f - y) for f, y in pairs]
    mean = math.fsum(y for _, y in pairs) / len(pairs)
    spread = math.fsum((y - mean) ** 2 for _, y in pairs)
    ratios = [abs(f - y) / abs(y) for f, y in pairs if abs(y) >= threshold and y]
    absolute = math.fsum(abs(y) for _, y in pairs)
    return {
        "mae": math.fsum(errors) / len(pairs),
        "rmse": math.sqrt(math.fsum(e * e for e in errors) / len(pairs)),
        "mape": 100 * math.fsum(ratios) / len(ratios) if ratios else None,
        "wape": 100 * math.fsum(errors) / absolute if absolute else None,
        "r2": 1 - math.fsum(e * e for e in errors) / spread if spread else None,
    }


@settings(max_examples=60, deadline=None)
@given(
    forecast=hnp.arrays(np.float32, SHAPE, elements=FLOATS),
    target=hnp.arrays(np.float32, SHAPE, elements=FLOATS),
    valid=hnp.arrays(bool, SHAPE),
)
def test_every_metric_is_what_a_loop_over_values_gives(forecast, target, valid):
    got, wanted = scores(forecast, target, valid), brute_force(forecast, target, valid, 1.0)
    assert got.keys() == wanted.keys() == METRICS.keys()
    for name in got.keys() - {"r2"}:  # whose loop is below, on values that do not cancel
        assert got[name].overall == near(wanted[name]), name
    for step in range(3):
        cut = (slice(None), step)
        wanted_step = brute_force(forecast[cut], target[cut], valid[cut], 1.0)
        assert got["rmse"].per_step[step] == near(wanted_step["rmse"])
    for channel in range(2):
        cut = (slice(None), slice(None), channel)
        wanted_channel = brute_force(forecast[cut], target[cut], valid[cut], 1.0)
        assert got["mae"].per_channel[channel] == near(wanted_channel["mae"])


def test_the_metrics_that_tables_show():
    assert SHOWN == ("mae", "rmse")


def noisy(level=0.0, seed=0):
    """Forecasts of error 0.5 for targets of spread 1 around a level that differs by window, step and channel."""
    generator = np.random.default_rng(seed)
    levels = level + generator.normal(0, 2, (*SHAPE[:3], 1, 1))
    target = (levels + generator.normal(0, 1, SHAPE)).astype(np.float32)
    forecast = (target + generator.normal(0, 0.5, SHAPE)).astype(np.float32)
    return forecast, target, generator.random(SHAPE) < 0.8


@pytest.mark.parametrize("batch", [1, 2, 64])
@pytest.mark.parametrize("level", [0.0, 20.0, 1e7, -1e7])
def test_r2_is_what_numpy_gives_at_any_level_in_every_cut(level, batch):
    forecast, target, valid = noisy(level)
    valid[1] = False  # a window, a step of another and a channel of a third without any value
    valid[2, 0] = False
    valid[3, :, 1] = False
    got = scores(forecast, target, valid, batch=batch)["r2"]
    cuts = {
        "overall": [(Ellipsis,)],
        "per_step": [(slice(None), step) for step in range(SHAPE[1])],
        "per_channel": [(slice(None), slice(None), channel) for channel in range(SHAPE[2])],
    }
    for name, places in cuts.items():
        for place, found in zip(places, np.atleast_1d(getattr(got, name)), strict=True):
            y, f = (part[place][valid[place]].astype(np.float64) for part in (target, forecast))
            assert found == pytest.approx(1 - ((f - y) ** 2).sum() / ((y - y.mean()) ** 2).sum(), rel=1e-9), name


def test_r2_is_what_a_loop_over_values_gives():
    forecast, target, valid = noisy(30)
    wanted = brute_force(forecast, target, valid, 1.0)["r2"]
    assert scores(forecast, target, valid)["r2"].overall == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.1, 3.3e7])
def test_a_constant_target_has_no_r2(value):
    target = np.full(SHAPE, value, dtype=np.float32)
    got = scores(target + 1, target, np.ones(SHAPE, dtype=bool))["r2"]
    assert (got.overall, got.per_step, got.per_channel) == (None, [None] * 3, [None] * 2)


def test_one_float32_apart_is_no_constant_target():
    target = np.full((1, 1, 1, 500, 500), 1e7, dtype=np.float32)
    target[..., 0, 0] += 1
    assert scores(target, target, np.ones_like(target, dtype=bool))["r2"].overall == 1


@settings(max_examples=30, deadline=None)
@given(
    forecast=hnp.arrays(np.float32, SHAPE, elements=FLOATS),
    target=hnp.arrays(np.float32, SHAPE, elements=FLOATS),
    batch=st.integers(1, 6),
)
def test_scores_are_identical_whatever_the_batch_size(forecast, target, batch):
    valid = np.ones(SHAPE, dtype=bool)
    assert scores(forecast, target, valid, batch=batch) == scores(forecast, target, valid, batch=512)


def test_rmse_is_the_root_of_the_pooled_mean_and_no_mean_of_roots():
    target = np.zeros((2, 1, 1, 1, 1), dtype=np.float32)
    forecast = np.array([3, 5], dtype=np.float32).reshape(target.shape)
    rmse = scores(forecast, target, np.ones_like(target, dtype=bool), batch=1)["rmse"].overall
    assert rmse == pytest.approx(math.sqrt((9 + 25) / 2))
    assert rmse != pytest.approx((3 + 5) / 2)


def test_masked_values_change_nothing():
    generator = np.random.default_rng(1)
    target = generator.normal(size=SHAPE).astype(np.float32)
    forecast = generator.normal(size=SHAPE).astype(np.float32)
    valid = generator.random(SHAPE) < 0.5
    wild_target, wild_forecast = np.where(valid, target, np.nan), np.where(valid, forecast, np.inf)
    assert scores(wild_forecast, wild_target, valid) == scores(forecast, target, valid)


def test_mape_counts_targets_from_the_threshold_on():
    target = np.array([0.001, 10, 20], dtype=np.float32).reshape(1, 1, 1, 1, 3)
    forecast = np.array([5, 11, 18], dtype=np.float32).reshape(target.shape)
    got = scores(forecast, target, np.ones_like(target, dtype=bool), threshold=10)
    assert got["mape"].overall == pytest.approx(10)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_target_of_zero_never_counts_in_mape(threshold):
    target = np.array([0, 0, 4, -8], dtype=np.float32).reshape(1, 1, 1, 1, 4)
    forecast = np.array([5, 0, 5, -8], dtype=np.float32).reshape(target.shape)
    got = scores(forecast, target, np.ones_like(target, dtype=bool), threshold=threshold)
    assert got["mape"].overall == 12.5
    nothing = scores(forecast[..., :2], target[..., :2], np.ones((1, 1, 1, 1, 2), dtype=bool), threshold=threshold)
    assert nothing["mape"].overall is None


def test_channels_that_may_not_be_pooled_have_scores_of_their_own_alone():
    forecast, target, valid = noisy(5)
    together = scores(forecast, target, valid)
    apart = window_sums(*map(torch.from_numpy, (forecast, target, valid)), 1.0).numpy()
    for name, score in WindowSums(apart).scores(pooled=False).items():
        assert (score.overall, score.per_step) == (None, [None] * 3)
        assert score.per_channel == together[name].per_channel


def test_scaled_sums_are_those_of_scaled_values():
    forecast, target, valid = noisy(5)
    scale = np.array([2.0, 0.25])  # powers of two, so that float32 keeps every bit
    by_channel = scale.astype(np.float32)[:, None, None]
    given, divided = (
        WindowSums(window_sums(*map(torch.from_numpy, (f, y, valid)), 0.0).numpy())
        for f, y in ((forecast, target), (forecast / by_channel, target / by_channel))
    )
    np.testing.assert_allclose(given.scaled(scale).sums, divided.sums, rtol=1e-12)


def test_large_sums_keep_float64_precision():
    target = np.full((4, 1, 1, 100, 100), 1e4, dtype=np.float32)
    forecast = target + np.float32(0.5)
    assert scores(forecast, target, np.ones_like(target, dtype=bool))["mae"].overall == 0.5
