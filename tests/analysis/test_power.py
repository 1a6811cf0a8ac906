"""What could have been found, and with how many seeds: against scipy's noncentral t and against simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nct, t

from bench.analysis.stats.power import MOST_SEEDS, Uncertainty, detectable, seeds_needed

SEEDS_ALONE = Uncertainty(windows=0.0, waves=4, spreads=(1.0, 1.0), seeds=(6, 6))


def test_variance_and_freedom_are_welchs_and_satterthwaites_by_hand():
    known = Uncertainty(windows=0.5, waves=4, spreads=(1.0, 2.0), seeds=(2, 4))
    parts, freedom = (0.5, 1 / 2, 2 / 4), (4, 1, 3)
    assert known.error**2 == pytest.approx(sum(parts))
    assert known.freedom == pytest.approx(sum(parts) ** 2 / sum(v**2 / n for v, n in zip(parts, freedom, strict=True)))


def test_without_any_variance_every_difference_is_sure():
    sure = Uncertainty(windows=0.0, waves=4, spreads=(0.0, 0.0), seeds=(1, 1))
    assert (sure.error, sure.freedom, sure.half_width(0.975)) == (0, 4, 0)
    assert [sure.p(value) for value in (0.0, 0.1, -0.1)] == [1, 0, 0]
    assert [sure.p_within(value, 1.0) for value in (0.5, 1.0, 2.0)] == [0, 0.5, 1]


@pytest.mark.parametrize("tested", [1, 5])
@pytest.mark.parametrize("windows", [0.0, 0.2])
def test_the_smallest_difference_is_found_in_80_of_100_cases(windows, tested):
    known = replace(SEEDS_ALONE, windows=windows)
    shift, critical = detectable(known, tested) / known.error, t.ppf(1 - 0.05 / (2 * tested), known.freedom)
    assert nct.sf(critical, known.freedom, shift) == pytest.approx(0.8, abs=1e-5)


def test_more_comparisons_and_less_sure_ones_can_show_less():
    assert detectable(SEEDS_ALONE, 5) > detectable(SEEDS_ALONE, 1)
    assert detectable(replace(SEEDS_ALONE, windows=1.0), 1) > detectable(SEEDS_ALONE, 1)
    assert detectable(replace(SEEDS_ALONE, seeds=(3, 3)), 1) > detectable(SEEDS_ALONE, 1)


def test_seeds_needed_are_the_fewest_that_could_show_the_difference():
    needed = seeds_needed(SEEDS_ALONE, 1.0, 5)
    enough, short = (detectable(replace(SEEDS_ALONE, seeds=(n, n)), 5) for n in (needed, needed - 1))
    assert enough <= 1.0 < short


def test_so_many_seeds_do_find_it_in_80_of_100_simulated_studies():
    needed, rng = seeds_needed(SEEDS_ALONE, 1.5, 1), np.random.default_rng(4)
    found = 0
    for _ in range(1000):
        base, mine = rng.normal(0, 1, needed), rng.normal(1.5, 1, needed)
        known = Uncertainty(windows=0.0, waves=4, spreads=(base.var(ddof=1), mine.var(ddof=1)), seeds=(needed, needed))
        found += known.p(mine.mean() - base.mean()) < 0.05
    assert found / 1000 == pytest.approx(0.8, abs=0.05)


def test_no_number_of_seeds_helps_where_the_test_period_is_too_short():
    assert seeds_needed(replace(SEEDS_ALONE, windows=1.0), 1.0, 1) is None
    assert seeds_needed(replace(SEEDS_ALONE, windows=1.0), 10.0, 1) == 3
    assert seeds_needed(SEEDS_ALONE, 0.001, 1) is None
    assert seeds_needed(SEEDS_ALONE, 0.5, 1) < MOST_SEEDS


def test_a_reference_without_a_seed_takes_no_more_runs():
    one = Uncertainty(windows=0.0, waves=4, spreads=(0.0, 1.0), seeds=(1, 6))
    assert one.freedom == pytest.approx(5)
    assert seeds_needed(one, 1.0, 1) < seeds_needed(SEEDS_ALONE, 1.0, 1)
