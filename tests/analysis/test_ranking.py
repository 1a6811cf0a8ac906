"""Models over data sets: scipy, a published example worked by hand, and planted winners and ties."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import friedmanchisquare, rankdata, wilcoxon

from bench.analysis.stats.ranking import (
    average_ranks,
    cliques,
    critical_difference,
    datasets_for_a_claim,
    friedman,
    holm,
    pairs,
    pairwise,
    ranks,
    signed_rank,
    signed_ranks,
    skill,
    win_tie_loss,
)

# Demšar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7: the ranks of table 6
DEMSAR = pd.DataFrame(
    [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [4, 1, 2, 3],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [1, 2.5, 4, 2.5],
        [3, 2, 4, 1],
        [2.5, 2.5, 4, 1],
        [4, 3, 2, 1],
        [2.5, 2.5, 2.5, 2.5],
        [4, 2.5, 1, 2.5],
        [3, 2, 4, 1],
        [4, 1, 2, 3],
        [3, 1, 4, 2],
    ],
    columns=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)


def scores(values, names="abcdefgh"):
    values = np.asarray(values, float)
    return pd.DataFrame(values, columns=[*names][: values.shape[1]])


def planted(datasets=12, seed=0, noise=0.01, quality=(1.0, 1.2, 1.2, 1.5)):
    """Errors that are each data set's own scale times each model's own factor; ``b`` and ``c`` are equally good."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.1, 100, (datasets, 1))
    return scores(scale * np.array(quality) * (1 + noise * rng.normal(size=(datasets, len(quality)))))


# A published example ------------------------------------------------------------------------------------------------


def test_the_published_example_has_its_printed_average_ranks():
    assert [f"{rank:.3f}" for rank in average_ranks(DEMSAR)] == ["3.143", "2.000", "2.893", "1.964"]


def test_the_published_example_has_its_printed_statistic():
    n, k = DEMSAR.shape
    ties = DEMSAR.apply(lambda row: (row.value_counts() ** 3 - row.value_counts()).sum(), axis=1).sum()
    without_correction = friedman(DEMSAR)[0] * (1 - ties / (n * k * (k * k - 1)))  # the textbooks' short formula
    assert f"{without_correction:.2f}" == "9.28"


@pytest.mark.parametrize(("level", "quantile", "printed"), [(0.05, 2.569, "1.25"), (0.10, 2.291, "1.12")])
def test_the_published_example_has_its_printed_critical_differences(level, quantile, printed):
    found = critical_difference(4, 14, level)
    assert f"{found:.2f}" == printed
    assert found / math.sqrt(4 * 5 / (6 * 14)) == pytest.approx(quantile, abs=5e-4)


def test_the_published_table_of_quantiles_is_met():
    printed = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    for models, quantile in enumerate(printed, start=2):
        assert critical_difference(models, 7) * math.sqrt(42 / (models * (models + 1))) == pytest.approx(
            quantile, abs=1.1e-3
        )


def test_the_published_example_parts_its_best_two_from_the_worst_at_ten_percent():
    found = cliques(average_ranks(DEMSAR), critical_difference(4, 14, 0.10))
    assert found == [("C4.5+m+cf", "C4.5+m", "C4.5+cf"), ("C4.5+cf", "C4.5")]


# scipy --------------------------------------------------------------------------------------------------------------


@given(arrays(float, st.tuples(st.integers(2, 12), st.integers(3, 7)), elements=st.integers(1, 6).map(float)))
@settings(deadline=None, max_examples=60)
def test_ranks_and_statistic_are_scipys_with_ties_and_without(values):
    frame = scores(values)
    assert ranks(frame).to_numpy() == pytest.approx(rankdata(values, axis=1))
    statistic, p = friedman(frame)
    if all(len(set(row)) == 1 for row in values):
        assert (statistic, p) == (0, 1)
        return
    wanted = friedmanchisquare(*values.T)
    assert statistic == pytest.approx(wanted.statistic, abs=1e-9)
    assert p == pytest.approx(wanted.pvalue, abs=1e-9)


def test_every_pair_is_tested_as_scipy_does_and_corrected_for_all_pairs():
    frame = planted(noise=0.2)
    found = pairwise(frame)
    assert list(found.index) == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")]
    for (first, second), p in found["p"].items():
        assert p == pytest.approx(wilcoxon(np.log(frame[first]), np.log(frame[second])).pvalue)
    ordered = found.sort_values("p")
    wanted = np.minimum(1, np.maximum.accumulate(ordered["p"].to_numpy() * [6, 5, 4, 3, 2, 1]))
    assert ordered["holm"].to_numpy() == pytest.approx(wanted)


@pytest.mark.parametrize("number", [1, 2, 5, 12])
@pytest.mark.parametrize("digits", [1, 15], ids=["with ties", "without ties"])
def test_holms_correction_is_that_of_statsmodels(number, digits):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    values = np.round(np.random.default_rng(number).uniform(size=number) ** 3, digits)
    assert holm(values) == pytest.approx(multitest.multipletests(values, method="holm")[1])


def test_holms_correction_worked_out_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # 3 x, as the next, 2 x, 4 x
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_unit_of_a_data_set_changes_no_p():
    frame = planted(noise=0.2)
    units = np.where(np.arange(len(frame)) % 2, 1000.0, 0.001)
    assert pairwise(frame.mul(units, axis=0))["p"].to_numpy() == pytest.approx(pairwise(frame)["p"].to_numpy())
    assert pairwise(scores([[0, 0], [0, 1], [1, 2]]))["p"]["a", "b"] == 0.5


# Planted truths -----------------------------------------------------------------------------------------------------


def test_planted_winners_and_losers_are_found_whatever_the_scale_of_a_data_set():
    frame = planted()
    average = average_ranks(frame)
    assert (average["a"], average["d"]) == (1, 4)
    assert friedman(frame)[1] < 1e-6
    found = pairwise(frame)["holm"]
    assert found[[("a", "b"), ("a", "c"), ("a", "d"), ("b", "d"), ("c", "d")]].max() < 0.05
    assert found["b", "c"] > 0.05


def test_planted_ties_share_their_rank():
    frame = planted(noise=0)
    assert dict(average_ranks(frame)) == {"a": 1, "b": 2.5, "c": 2.5, "d": 4}
    assert pairwise(frame)["p"]["b", "c"] == 1


def test_wins_ties_and_losses_are_counted_over_data_sets_and_rivals():
    assert win_tie_loss(planted(datasets=5, noise=0)) == {
        "a": (15, 0, 0),
        "b": (5, 5, 5),
        "c": (5, 5, 5),
        "d": (0, 0, 15),
    }


def test_models_that_are_alike_are_called_different_about_once_in_twenty_times():
    rng = np.random.default_rng(0)
    claimed = [friedman(scores(rng.normal(size=(10, 5))))[1] < 0.05 for _ in range(1000)]
    assert np.mean(claimed) == pytest.approx(0.05, abs=0.02)


def test_nemenyi_parts_any_two_of_models_that_are_alike_at_most_once_in_twenty_times():
    rng = np.random.default_rng(1)
    apart = [np.ptp(average_ranks(scores(rng.normal(size=(10, 5))))) for _ in range(2000)]
    assert 0.02 < np.mean(np.array(apart) >= critical_difference(5, 10)) < 0.06


def test_skill_is_the_share_of_the_naive_baselines_error_that_is_gone():
    found = skill(scores([[1.0, 4.0], [3.0, 2.0]]), pd.Series([2.0, np.nan]))
    assert found.iloc[0].tolist() == [0.5, -1.0]
    assert found.iloc[1].isna().all()


def test_models_within_the_critical_difference_are_joined_and_no_group_lies_in_another():
    average = pd.Series({"a": 1.0, "b": 1.4, "c": 2.2, "d": 4.0, "e": 4.1})
    assert cliques(average, 1.0) == [("a", "b"), ("b", "c"), ("d", "e")]
    assert cliques(average, 0.05) == []
    assert cliques(average, 9.0) == [("a", "b", "c", "d", "e")]


# How many data sets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("models", "needed"), [(2, 6), (3, 7), (5, 9), (10, 11), (15, 13)])
def test_a_claim_needs_as_many_data_sets_as_the_exact_test_says(models, needed):
    assert datasets_for_a_claim(pairs(models)) == needed
    for count, claimed in ((needed, True), (needed - 1, False)):
        agreed = scores(np.outer(np.arange(1, count + 1), np.arange(1, models + 1)), names=range(models))
        assert bool(pairwise(agreed)["holm"].min() < 0.05) is claimed


@pytest.mark.parametrize("number", [1, 2, 6, 9, 14, 30])
@pytest.mark.parametrize("digits", [1, 15], ids=["with ties", "without ties"])
def test_the_signed_rank_test_is_scipys(number: int, digits: int):
    differences = np.round(np.random.default_rng(number).normal(0.5, size=number), digits)
    assert signed_rank(differences) == pytest.approx(wilcoxon(differences).pvalue, rel=1e-12)


def test_what_does_not_differ_counts_for_neither_side():
    differences = np.array([0.0, 0.3, -0.1, 0.0, 0.2, 0.4, 0.3])
    assert signed_rank(differences) == pytest.approx(wilcoxon(differences).pvalue)
    assert signed_rank(differences) == signed_rank(differences[differences != 0])
    assert signed_rank(np.zeros(5)) == 1


def test_columns_are_tested_together_as_each_alone():
    values = np.random.default_rng(1).normal(0.3, size=(9, 6))
    values[:, 1] = np.round(values[:, 1], 1)  # ties
    values[3, 2], values[:, 4] = 0.0, 0.0
    assert signed_ranks(values) == [signed_rank(column) for column in values.T]
    assert signed_ranks(values[:, [4]]) == [1.0]
