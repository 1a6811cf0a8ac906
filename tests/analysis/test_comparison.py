"""Paired comparison against planted truths and against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import wilcoxon

from bench.analysis.stats.comparison import (
    DRAWS,
    LEVEL,
    _intervals,
    _percent,
    _resemblance,
    _widened,
    compare,
    corrected,
    widening,
)
from bench.errors import StoreError
from bench.records.arrays import WindowErrors, values_of

DAYS, PER_DAY = 20, 24


def runs(factor=1.0, noise=0.0, seeds=3, seed=0, days=DAYS):
    """Windows whose hardness follows the hour and the day, the same for all models; errors are ``factor`` times it."""
    hour = np.arange(days * PER_DAY)
    hard = 5 + np.sin(2 * np.pi * hour / PER_DAY) + np.repeat(np.random.default_rng(9).normal(0, 0.3, days), PER_DAY)
    rng = np.random.default_rng(seed)
    return {
        number: WindowErrors.of(
            per_day=PER_DAY,
            origins=1000 + hour,
            count=np.full(len(hour), 10.0),
            absolute=hard * factor * (1 + noise * np.repeat(rng.normal(size=days), PER_DAY)),
            square=hard**2,
        )
        for number in range(seeds)
    }


def errors(run):
    return values_of(run.absolute)


def one(*args, horizon=6):
    (difference,) = corrected(compare(args[0], [args[1]], horizon=horizon))
    return difference


def test_a_planted_difference_is_found():
    difference = one(runs(), runs(1.05, noise=0.02, seed=1))
    assert difference.percent == pytest.approx(5, abs=1.5)
    assert difference.low < difference.percent < difference.high
    assert list(difference.seeds) == [0, 1, 2]
    assert difference.claimed


def test_no_difference_is_left_open():
    difference = one(runs(noise=0.05, seed=1), runs(noise=0.05, seed=2))
    assert difference.low < 0 < difference.high
    assert not difference.claimed


def test_the_same_runs_differ_by_nothing():
    difference = one(runs(), runs())
    assert (difference.percent, difference.low, difference.high, difference.p) == (0, 0, 0, 1)
    assert not difference.claimed


def test_the_difference_is_that_of_pooled_errors_of_seeds():
    reference, other = runs(noise=0.1, seed=3), runs(1.1, noise=0.1, seed=4, seeds=2)
    base = np.mean([errors(reference[seed]).sum() for seed in other])  # of the seeds that both have
    mine = np.mean([errors(run).sum() for run in other.values()])
    difference = one(reference, other)
    assert difference.percent == pytest.approx(100 * (mine - base) / base)
    assert dict(difference.seeds) == pytest.approx(
        {seed: 100 * (errors(other[seed]).sum() / errors(reference[seed]).sum() - 1) for seed in (0, 1)}
    )


def test_one_seed_against_the_others_leaves_it_open():
    other = runs(1.05)
    other[2] = runs(0.99)[2]
    difference = one(runs(), other)
    assert difference.low > 0
    assert difference.p < 0.05
    assert not difference.claimed


def test_fewer_than_three_seeds_or_six_days_make_no_claim():
    assert one(runs(), runs(1.05)).claimed
    few_seeds, few_days = one(runs(seeds=2), runs(1.05, seeds=2)), one(runs(days=5), runs(1.05, days=5))
    assert (few_seeds.testable, few_seeds.claimed) == (False, False)
    assert (few_days.testable, few_days.claimed, few_days.days, few_days.least) == (False, False, 5, 2 / 2**5)


def test_runs_without_a_common_seed_or_without_error_are_not_compared():
    other = {seed + 3: run for seed, run in runs().items()}
    assert compare(runs(), [other, runs()], horizon=6)[0] is None
    assert compare(runs(0.0), [runs()], horizon=6) == [None]


def test_a_long_horizon_makes_long_blocks():
    assert [one(runs(), runs(1.05), horizon=horizon).days for horizon in (6, 12, 24)] == [20, 10, 5]


def test_the_test_is_made_on_days():
    reference, other = runs(noise=0.1, seed=3), runs(1.02, noise=0.1, seed=4)
    by_day = [
        np.mean([errors(run)[day * PER_DAY : (day + 1) * PER_DAY].sum() for run in other.values()])
        - np.mean([errors(run)[day * PER_DAY : (day + 1) * PER_DAY].sum() for run in reference.values()])
        for day in range(DAYS)
    ]
    assert one(reference, other).p == pytest.approx(wilcoxon(by_day).pvalue)


def test_the_interval_is_that_of_a_slow_moving_block_bootstrap_widened():
    reference, other = runs(noise=0.1, seed=3), runs(1.02, noise=0.1, seed=4)
    base, mine = (np.mean([errors(run) for run in each.values()], axis=0) for each in (reference, other))
    rng = np.random.default_rng(5)
    ratios = []
    for _ in range(DRAWS):
        starts = rng.integers(0, len(base) - PER_DAY + 1, DAYS)
        chosen = np.concatenate([np.arange(start, start + PER_DAY) for start in starts])
        ratios.append(100 * (mine[chosen].sum() / base[chosen].sum() - 1))
    difference = one(reference, other)
    (factor,) = widening(base[:, None], mine[:, None], PER_DAY)
    wanted = difference.percent + factor * (np.quantile(ratios, (0.025, 0.975)) - difference.percent)
    assert factor != pytest.approx(1, abs=0.01)
    assert (difference.low, difference.high) == pytest.approx(tuple(wanted), abs=0.15 * np.ptp(wanted))


def test_days_make_wider_intervals_than_windows_taken_for_independent():
    reference, other = runs(noise=0.1, seed=3), runs(1.02, noise=0.1, seed=4)
    base, mine = (np.mean([errors(run) for run in each.values()], axis=0) for each in (reference, other))
    spread = 100 * 1.96 * np.std(mine - base) / np.sqrt(len(base)) / np.mean(base)
    difference = one(reference, other)
    assert difference.high - difference.low > 2 * (2 * spread)


def coverage(noise, days, truth=3.0, draws=400):
    """How often the interval holds the planted difference; all draws are columns of one call."""
    hour = np.arange(days * PER_DAY)
    hard = (5 + np.sin(2 * np.pi * hour / PER_DAY))[:, None]
    rng = np.random.default_rng(days)
    low, high = _widened(
        hard * (1 + 0.1 * noise(rng, days, draws)),
        hard * (1 + truth / 100) * (1 + 0.1 * noise(rng, days, draws)),
        PER_DAY,
    )
    return np.mean((low <= truth) & (truth <= high))


def by_day(rng, days, draws):
    return np.repeat(rng.normal(size=(days, draws)), PER_DAY, axis=0)


def by_hour(rng, days, draws):
    return rng.normal(size=(days * PER_DAY, draws))


def fading(hours):
    """Noise of which half is gone after so many hours."""
    keep, before = 0.5 ** (1 / hours), 20 * PER_DAY

    def noise(rng, days, draws):
        drawn = rng.normal(size=(days * PER_DAY + before, draws))
        return lfilter([np.sqrt(1 - keep**2)], [1, -keep], drawn, axis=0)[before:]

    return noise


NOISES = {"by day": by_day, "by hour": by_hour, "fading": fading(7), "lasting": fading(23)}


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_the_interval_holds_the_truth_95_times_in_a_hundred(noise, monkeypatch):
    monkeypatch.setattr("bench.analysis.stats.comparison.DRAWS", 200)
    assert coverage(noise, days=30, draws=3000) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_on_ten_days_it_does_so_86_times_at_least_however_long_the_noise_lasts(noise, monkeypatch):
    monkeypatch.setattr("bench.analysis.stats.comparison.DRAWS", 200)
    assert 0.86 < coverage(noise, days=10, draws=400) < 0.985


def test_blocks_that_follow_each_other_are_told_from_blocks_that_do_not():
    rng = np.random.default_rng(1)
    alone = rng.normal(size=(2000, 1))
    alike = lfilter([1], [1, -0.5], alone, axis=0)
    assert _resemblance(alone) == pytest.approx(0, abs=0.05)
    assert _resemblance(alike) == pytest.approx(0.5, abs=0.05)


def test_a_test_period_shorter_than_two_days_still_has_an_interval():
    difference = one(runs(days=1), runs(1.05, noise=0.1, days=1))
    assert difference.low - 1e-9 <= difference.percent <= difference.high + 1e-9


def test_equal_runs_of_one_reference_share_their_draws():
    first, second = compare(runs(noise=0.1), [runs(1.05, seed=2), runs(1.05, seed=2)], horizon=6)
    assert first == second


def test_runs_of_other_windows_are_refused():
    with pytest.raises(StoreError, match="not of the same windows"):
        one(runs(), runs(days=DAYS - 1))


def test_holm_multiplies_by_the_number_of_comparisons_still_open():
    differences = compare(runs(noise=0.05), [runs(1.01, noise=0.05, seed=s) for s in (1, 2, 3)], horizon=6)
    values = sorted(each.p for each in differences)
    wanted = np.minimum(1, np.maximum.accumulate(np.array(values) * [3, 2, 1]))
    assert sorted(each.holm for each in corrected(differences)) == pytest.approx(list(wanted))
    assert corrected([]) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("windows", "length"), [(240, 24), (100, 48), (7, 3), (50, 1)])
def test_the_interval_is_that_of_archs_own_resampling(windows, length):
    from arch.bootstrap import MovingBlockBootstrap

    noise = np.random.default_rng(3)
    base, mine = noise.uniform(1, 2, (windows, 3)), noise.uniform(1, 2, (windows, 3))
    base[:, 2] = base[:, 0]
    wanted = MovingBlockBootstrap(length, base, mine, seed=0).conf_int(_percent, DRAWS, method="percentile", size=LEVEL)
    assert np.stack(_intervals(base, mine, length)) == pytest.approx(np.stack(wanted), rel=1e-9)
