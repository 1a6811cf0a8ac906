"""Comparisons against planted truths, against scipy's tests, and against resampling of seeds and windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_ind_from_stats
from statsmodels.stats.weightstats import ttost_ind

from bench.analysis.stats.comparison import Runs, compare, corrected, difference, percent_of, points_of
from bench.errors import StoreError
from bench.records.arrays import WindowErrors

DAYS, PER_DAY = 20, 24
WITHIN = 100 * np.log(1.01)  # the margin of 1 %, as it is tested


def errors(seeds=6, *, factor=1.0, spread=0.5, noise=1.0, days=DAYS, seed=0):
    """Errors ``[S, N]`` around 100 times ``factor``; standard deviations of runs and of windows are percent."""
    rng, hour = np.random.default_rng(seed), np.arange(days * PER_DAY)
    hard = 100 + 20 * np.sin(2 * np.pi * hour / PER_DAY)
    own = 1 + spread / 100 * rng.normal(size=(seeds, 1)) + noise / 100 * rng.normal(size=(1, len(hour)))
    return factor * hard * own


def runs(made, *, seeded=True, first=1000):
    windows = [
        WindowErrors.of(
            per_day=PER_DAY,
            origins=first + np.arange(made.shape[1]),
            count=np.full(made.shape[1], 10.0),
            absolute=run,
            square=run**2,
        )
        for run in made
    ]
    return Runs(windows=windows, seeded=seeded)


def one(reference, other, **facts):
    (made,) = corrected([difference(reference, other, PER_DAY, **facts)])
    return made


def levels(reference, other):
    """Of each run in hundredths of the logarithm, near the mean of its method; the means apart by the ratio's."""
    base, mine = (100 * made.mean(axis=1) / made.mean() for made in (reference, other))
    return base, mine + 100 * np.log(other.mean() / reference.mean())


def test_scenes_with_a_window_each_are_days_of_their_own():
    """Sixty scenes of a day are sixty days, not the five that so many windows of neighbouring slots would be."""
    rng = np.random.default_rng(0)
    runs = []
    for level in (1.0, 2.0):
        absolute = level + 0.1 * rng.random((3, 60))
        sums = {"per_day": 12, "origins": np.arange(60) * 12 + 6, "count": np.ones(60)}
        windows = [WindowErrors.of(absolute=row, square=row**2, **sums) for row in absolute]
        runs.append(Runs(windows=windows))
    (found,) = corrected(compare(runs[0], runs[1:]))
    assert (found.days, found.verdict) == (60, "better")


def test_a_planted_difference_is_found():
    made = one(errors(seed=1), errors(factor=1.05, seed=2))
    assert made.percent == pytest.approx(5, abs=1)
    assert made.interval[0] < 5 < made.interval[1]
    assert made.verdict == "better"  # the reference is
    assert one(errors(factor=1.05, seed=2), errors(seed=1)).verdict == "worse"


def test_the_same_method_under_other_seeds_is_never_claimed_to_differ_by_much_more_than_it_does():
    made = one(errors(spread=3, seed=1), errors(spread=3, seed=2))
    assert made.interval[0] < 0 < made.interval[1]
    assert made.verdict == "open"


def test_the_same_runs_differ_by_nothing():
    made = errors(spread=0, noise=0)
    same = one(made, made)
    assert (same.percent, same.interval, same.p, same.p_equivalent) == (0, (0, 0), 1, 0)
    assert same.verdict == "equivalent"


def test_the_difference_is_that_of_errors_averaged_over_the_seeds_of_each():
    reference, other = errors(seeds=3, seed=3), errors(seeds=5, factor=1.1, seed=4)
    made = one(reference, other)
    assert made.percent == pytest.approx(100 * (other.mean() / reference.mean() - 1))
    assert made.seeds == pytest.approx([100 * (run.mean() / reference.mean() - 1) for run in other])
    assert (len(made.seeds), made.reference_seeds) == (5, 3)


@pytest.mark.parametrize("factor", [1.001, 1.3, 4.0])
def test_it_does_not_matter_which_of_two_methods_is_the_reference(factor):
    first, second = errors(4, noise=30, seed=11), errors(5, noise=40, factor=factor, seed=12)
    made, turned = one(first, second), one(second, first)
    assert (made.p, made.p_equivalent) == pytest.approx((turned.p, turned.p_equivalent), rel=1e-9)
    ratios, inverse = (1 + np.array(found.interval) / 100 for found in (made, turned))
    assert ratios == pytest.approx(1 / inverse[::-1], rel=1e-9)


def test_no_interval_reaches_below_no_error_at_all():
    """On weekends both err alike, on other days the method errs four times as much."""
    weekday = np.repeat(np.arange(9) % 7 > 1, PER_DAY)
    base = errors(days=9, seed=1)
    made = one(base, base * np.where(weekday, 4.0, 1.0))
    low, high = made.interval
    assert -100 < low < 0 < made.percent < high
    assert made.detectable > 100


def test_points_and_percent_are_each_others_inverse_and_alike_where_small():
    for percent in (-99.0, -1.0, 0.0, 0.5, 300.0):
        assert percent_of(points_of(percent)) == pytest.approx(percent)
    assert points_of(0.1) == pytest.approx(0.1, rel=1e-3)
    assert (points_of(-100.0), percent_of(-np.inf)) == (-np.inf, -100)
    assert np.isfinite(percent_of(1e9))


def test_a_method_without_any_error_is_worse_for_the_reference_as_surely_as_can_be():
    made = one(errors(), 0 * errors())
    assert (made.percent, made.p, made.interval, made.verdict) == (-100, 0, (-100, -100), "worse")


@pytest.mark.parametrize("seeds", [(3, 3), (3, 6), (6, 4)])
def test_without_noise_in_time_it_is_welchs_test_of_the_runs(seeds):
    reference = errors(seeds[0], noise=0, spread=2, seed=5)
    other = errors(seeds[1], noise=0, spread=1, factor=1.01, seed=6)
    made, (base, mine) = one(reference, other), levels(reference, other)
    wanted = ttest_ind_from_stats(
        mine.mean(), mine.std(ddof=1), len(mine), base.mean(), base.std(ddof=1), len(base), equal_var=False
    )
    assert made.p == pytest.approx(wanted.pvalue, rel=1e-6)


def test_equivalence_is_two_one_sided_t_tests_of_scipy():
    reference, other = errors(5, noise=0, seed=7), errors(5, noise=0, factor=1.002, seed=8)
    base, mine = levels(reference, other)
    sides = [
        ttest_ind(mine, base + WITHIN, equal_var=False, alternative="less").pvalue,
        ttest_ind(mine, base - WITHIN, equal_var=False, alternative="greater").pvalue,
    ]
    assert one(reference, other, margin=1.0).p_equivalent == pytest.approx(max(sides), rel=1e-6)


def test_statsmodels_agrees_on_equivalence():
    reference, other = errors(6, noise=0, seed=9), errors(6, noise=0, factor=1.001, seed=10)
    base, mine = levels(reference, other)
    p, *_ = ttost_ind(mine, base, -WITHIN, WITHIN, usevar="unequal")
    assert one(reference, other, margin=1.0).p_equivalent == pytest.approx(p, rel=1e-6)


def test_no_claim_is_made_without_its_interval():
    rng, seen = np.random.default_rng(0), set()
    for number in range(200):
        factor = 1 + rng.normal() / 100
        made = one(errors(3, seed=2 * number), errors(3, factor=factor, seed=2 * number + 1))
        low, high = made.interval
        assert (made.p < 0.05) == (not low <= 0 <= high)
        if made.verdict in ("better", "worse"):
            assert not low <= 0 <= high
        if made.verdict == "equivalent":
            half = made.uncertainty.half_width(0.95)
            assert -1 < percent_of(made.points - half) < percent_of(made.points + half) < 1
        seen.add(made.verdict)
    assert seen == {"better", "worse", "equivalent", "open"}


def test_a_surely_small_difference_is_equivalent_even_if_it_is_surely_there():
    made = one(errors(spread=0.05, noise=0, seed=1), errors(spread=0.05, noise=0, factor=1.004, seed=2))
    assert made.p < 0.001
    assert made.verdict == "equivalent"
    narrow = one(errors(spread=0.05, noise=0, seed=1), errors(spread=0.05, noise=0, factor=1.004, seed=2), margin=0.1)
    assert narrow.verdict == "better"


def test_the_interval_covers_the_spread_of_seeds_and_not_that_of_windows_alone():
    still, moving = (one(errors(spread=s, seed=1), errors(spread=s, seed=2)).uncertainty for s in (0, 2))
    assert moving.error > 4 * still.error
    assert moving.windows == pytest.approx(still.windows, rel=0.2)
    single = one(errors(1, seed=1), errors(1, seed=2))
    assert single.uncertainty is None


def test_the_interval_covers_the_noise_of_windows_and_not_the_spread_of_seeds_alone():
    still, moving = (one(errors(noise=n, seed=1), errors(noise=n, seed=2)).uncertainty for n in (0, 30))
    assert moving.error > 4 * still.error
    assert moving.spreads == pytest.approx(still.spreads, rel=0.2)


def test_windows_that_follow_each_other_are_no_independent_witnesses():
    days = np.repeat(np.random.default_rng(3).normal(size=DAYS), PER_DAY)
    base = errors(noise=0, spread=0.01)
    made = one(base, base * (1 + days / 10))
    taken_for_independent = 100 * np.std(days / 10) / np.sqrt(len(days))
    assert made.uncertainty.error > 3 * taken_for_independent


def test_the_standard_error_is_about_that_of_a_resampling_of_seeds_and_windows_and_no_smaller():
    """The pigeonhole bootstrap: runs of each and days are drawn with replacement (Owen 2007)."""
    reference, other = errors(40, noise=4, spread=2, seed=3), errors(40, noise=4, spread=2, seed=4)
    rng, drawn = np.random.default_rng(5), []
    for _ in range(2000):
        chosen = (PER_DAY * rng.integers(0, DAYS, DAYS)[:, None] + np.arange(PER_DAY)).ravel()
        base, mine = (made[rng.integers(0, 40, 40)][:, chosen] for made in (reference, other))
        drawn.append(100 * (mine.mean() / base.mean() - 1))
    assert one(reference, other).uncertainty.error == pytest.approx(np.std(drawn), rel=0.5)
    assert one(reference, other).uncertainty.error > np.std(drawn)


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_trained_method_with_one_or_two_seeds_supports_no_claim(seeds):
    made = one(errors(6), errors(seeds, factor=2))
    assert (made.lacking, made.verdict) == ("seeds", "open")
    assert np.isnan([*made.interval, made.detectable]).all()
    assert made.seeds_for(1) is None
    assert one(errors(seeds, factor=2), errors(6)).lacking == "seeds"
    assert one(errors(3), errors(3, factor=2)).lacking == ""


def test_a_method_without_a_seed_needs_one_run():
    made = one(errors(1, spread=0), errors(6, factor=1.1), seeded=(False, True))
    assert made.verdict == "better"
    assert made.uncertainty.spreads[0] == 0
    assert one(errors(1, spread=0), errors(1, factor=1.1, spread=0), seeded=(False, False)).verdict == "better"
    assert one(errors(1, spread=0), errors(1, factor=1.1), seeded=(False, True)).verdict == "open"


def test_less_than_a_week_of_windows_supports_no_claim():
    short, week = (one(errors(days=days), errors(factor=2, days=days, seed=1)) for days in (6, 7))
    assert (short.lacking, short.verdict) == ("days", "open")
    assert (week.lacking, week.verdict) == ("", "better")


def test_what_may_not_be_quoted_is_open():
    made = one(errors(), errors(factor=2))
    assert made.verdict == "better"
    assert replace(made, quotable=False).verdict == "open"


def test_a_single_window_has_no_interval_and_lacks_days_whatever_the_number_of_seeds():
    made = one(errors()[:, :1], errors()[:, :1])
    assert (made.uncertainty, made.lacking, made.verdict) == (None, "days", "open")


def test_records_are_compared_as_their_arrays_are():
    reference, other = errors(3, seed=1), errors(4, factor=1.03, seed=2)
    (made,) = compare(runs(reference), [runs(other)], margin=2.0)
    wanted = difference(reference, other, PER_DAY, margin=2.0)
    assert made.percent == pytest.approx(wanted.percent, abs=1e-4)
    assert made.p == pytest.approx(wanted.p, rel=1e-3)
    assert made.margin == 2.0


def test_a_reference_without_error_or_a_method_without_runs_is_not_compared():
    assert compare(runs(0 * errors()), [runs(errors())]) == [None]
    assert compare(runs(errors()), [Runs(windows=[])]) == [None]


def test_runs_of_other_windows_are_refused():
    with pytest.raises(StoreError, match="not of the same windows"):
        compare(runs(errors()), [runs(errors(), first=1001)])


def test_holm_multiplies_by_the_number_of_comparisons_still_open():
    arms = [difference(errors(seed=0), errors(factor=1 + n / 500, seed=n), PER_DAY) for n in (1, 2, 3)]
    for name, result in (("p", "holm"), ("p_equivalent", "holm_equivalent")):
        values = sorted(getattr(arm, name) for arm in arms)
        wanted = np.minimum(1, np.maximum.accumulate(np.array(values) * [3, 2, 1]))
        assert sorted(getattr(arm, result) for arm in corrected(arms)) == pytest.approx(list(wanted))
    assert {arm.tested for arm in corrected(arms)} == {3}
    assert corrected([]) == []


def test_what_cannot_be_tested_does_not_count_in_the_correction():
    tested, untested = difference(errors(), errors(seed=1), PER_DAY), difference(errors(), errors(1), PER_DAY)
    first, second = corrected([tested, untested])
    assert (first.holm, first.tested) == (first.p, 1)
    assert second == untested


def test_equivalence_is_claimed_only_after_the_correction():
    made = one(errors(), errors(seed=1))
    for value, wanted in ((0.02, "equivalent"), (0.03, "open")):
        arms = [replace(made, p=0.5, p_equivalent=p) for p in (value, 0.9)]
        assert corrected(arms)[0].verdict == wanted


def test_among_several_methods_only_a_larger_difference_could_have_been_shown_and_more_seeds_are_needed():
    made = difference(errors(), errors(seed=1), PER_DAY)
    (alone,), (among, *_) = corrected([made]), corrected([made] * 5)
    assert among.detectable > 1.1 * alone.detectable
    assert among.seeds_for(1.0) > alone.seeds_for(1.0)
