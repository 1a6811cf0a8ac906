"""Paired comparison of forecasts of the same windows: how large a difference is, how sure, and whether chance does it.

Neighbouring windows overlap and share their hour's weather, so single windows are no independent witnesses. The
interval comes from a moving-block bootstrap, whose blocks are a day long or more, and is widened where such blocks are
known to be too short or too few; the test is made on such blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.analysis.stats.ranking import holm, signed_ranks
from bench.errors import StoreError
from bench.records.arrays import Floats, WindowErrors, values_of

DRAWS = 1000
LEVEL = 0.95
FEWEST_SEEDS = 3  # for a claim
MOST_ALIKE = 0.9  # neighbouring blocks; beyond this no number of days would do
HORIZONS = 4  # in a block, at least: windows of neighbouring blocks overlap by one


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean absolute error less that of a reference, in percent of the reference's: above 0 the reference is better.

    Attributes:
        percent: Of errors averaged over the seeds that both have.
        low, high: The 95 % interval of a moving-block bootstrap over windows, widened as ``widening`` says.
        seeds: By seed its own difference in percent.
        days: Blocks that the test is made on, days unless the horizon is long.
        p: Of Wilcoxon's signed-rank test over them, two-sided.
        holm: The same, corrected by Holm for all comparisons on this data set.
        least: The smallest that ``holm`` could have been for the first of these comparisons.
        weights: Of the reference.
        quotable: Whether it may be claimed at all: on real data, and not in the quick profile.
    """

    percent: float
    low: float
    high: float
    seeds: Mapping[int, float]
    days: int
    p: float
    holm: float = math.nan
    least: float = math.nan
    weights: str = ""
    quotable: bool = True

    @property
    def testable(self) -> bool:
        """Whether seeds and days are enough for a claim."""
        return len(self.seeds) >= FEWEST_SEEDS and self.least < 1 - LEVEL

    @property
    def claimed(self) -> bool:
        """Whether test, interval and every seed agree on something that may be claimed."""
        sides = {np.sign(value) for value in (self.percent, self.low, self.high, *self.seeds.values())}
        return self.quotable and self.testable and self.holm < 1 - LEVEL and len(sides) == 1


def compare(
    reference: Mapping[int, WindowErrors], others: Sequence[Mapping[int, WindowErrors]], *, horizon: int
) -> list[Difference | None]:
    """Differences of methods from the reference on one data set, not yet corrected; the draws are the same for all.

    ``reference`` and each of ``others`` hold the errors of the same windows by seed.

    Returns:
        None for a method that has no seed in common with the reference, or if the reference makes no error.

    Raises:
        StoreError: If the runs are not of the same windows.
    """
    first = next(iter(reference.values()))
    if any(run.origins != first.origins for runs in (reference, *others) for run in runs.values()):
        raise StoreError("runs that are to be compared are not of the same windows; repeat them with --force")
    base_errors, other_errors = _errors(reference), [_errors(runs) for runs in others]
    shared = [sorted({*reference} & {*runs}) for runs in others]
    known = [number for number, seeds in enumerate(shared) if sum(base_errors[s].sum() for s in seeds) > 0]
    if not known:
        return [None] * len(others)
    base = np.stack([_mean(base_errors, shared[number]) for number in known], axis=1)  # [N, K]
    other = np.stack([_mean(other_errors[number], shared[number]) for number in known], axis=1)
    length = first.per_day * math.ceil(max(first.per_day, HORIZONS * horizon) / first.per_day)
    low, high = _widened(base, other, length)
    days, chances = _tested(other - base, (first.starts - first.starts[0]) // length)
    results: list[Difference | None] = [None] * len(others)
    for column, number in enumerate(known):
        seeds = {s: float(_percent(base_errors[s], other_errors[number][s])) for s in shared[number]}
        results[number] = Difference(
            percent=float(_percent(base[:, column], other[:, column])),
            low=float(low[column]),
            high=float(high[column]),
            seeds=seeds,
            days=days,
            p=chances[column],
        )
    return results


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Holm's correction over all of them."""
    if not differences:
        return []
    values = holm([difference.p for difference in differences])
    return [
        replace(difference, holm=value, least=min(1.0, len(differences) * 2.0 ** (1 - difference.days)))
        for difference, value in zip(differences, values, strict=True)
    ]


def _errors(runs: Mapping[int, WindowErrors]) -> dict[int, Floats]:
    """Absolute errors of each window by seed, ``[N]``."""
    return {seed: values_of(run.absolute) for seed, run in runs.items()}


def _mean(errors: Mapping[int, Floats], seeds: Sequence[int]) -> Floats:
    """Averaged over seeds, ``[N]``."""
    mean: Floats = np.mean([errors[seed] for seed in seeds], axis=0)
    return mean


def _percent(base: Floats, other: Floats) -> Floats:
    """Of the sums over windows, the first axis; 0 where the reference makes no error in any of them."""
    return _percent_of_sums(base.sum(axis=0), other.sum(axis=0))


def _percent_of_sums(total: Floats, other: Floats) -> Floats:
    ratio: Floats = np.divide(other, total, out=np.ones_like(total), where=total > 0)
    percent: Floats = 100 * (ratio - 1)
    return percent


def widening(base: Floats, other: Floats, length: int) -> Floats:
    """By what a percentile interval of moving blocks must be stretched, ``[K]`` for columns ``[N, K]``.

    The bootstrap takes blocks for independent and their variance for known. Here the sums of neighbouring blocks may
    resemble each other (an autoregression of order one, its coefficient corrected for the short series, after Kendall
    1954), and Student's t stands for the few independent blocks that are left.
    """
    from scipy.stats import norm, t

    errors = other - base * (other.sum(axis=0) / base.sum(axis=0))
    length = max(1, min(length, len(errors) // 2))
    number = max(1, len(errors) // length)
    blocks = errors[: number * length].reshape(number, length, -1).sum(axis=1)
    alike = _resemblance(blocks)
    true = blocks.var(axis=0) * number / max(1, number - 1) * (1 + alike) / (1 - alike)
    assumed = _block_variance(errors, length)
    ratio = np.divide(true, assumed, out=np.ones_like(true), where=assumed > 0)
    upper, independent = (1 + LEVEL) / 2, np.maximum(2.0, number * (1 - alike) / (1 + alike))
    factor: Floats = np.sqrt(ratio) * t.ppf(upper, independent - 1) / norm.ppf(upper)
    return factor


def _resemblance(blocks: Floats) -> Floats:
    """Correlation of neighbouring blocks ``[D, K]``, without the bias of a short series; from 0 to ``MOST_ALIKE``."""
    centred = blocks - blocks.mean(axis=0)
    variance = (centred**2).sum(axis=0)
    products = (centred[1:] * centred[:-1]).sum(axis=0)
    correlation = np.divide(products, variance, out=np.zeros_like(variance), where=variance > 0)
    unbiased: Floats = np.clip(correlation + (1 + 4 * correlation) / len(blocks), 0, MOST_ALIKE)
    return unbiased


def _widened(base: Floats, other: Floats, length: int) -> tuple[Floats, Floats]:
    """Lower and upper bounds ``[K]``, each set off from the difference by ``widening`` times its distance."""
    low, high = _intervals(base, other, length)
    middle, factor = _percent(base, other), widening(base, other, length)
    return middle - factor * (middle - low), middle + factor * (high - middle)


def _block_variance(errors: Floats, length: int) -> Floats:
    """Of the sum of a block, over all moving blocks, ``[K]``."""
    sums = _running(errors)
    variance: Floats = np.var(sums[length:] - sums[:-length], axis=0)
    return variance


def _intervals(base: Floats, other: Floats, length: int) -> tuple[Floats, Floats]:
    """Lower and upper bounds ``[K]`` for columns ``[N, K]``; blocks are at most half as long as the series."""
    number, length = len(base), max(1, min(length, len(base) // 2))
    columns, reference = np.unique(base, axis=1, return_inverse=True)  # most methods share the reference's errors
    sums = _running(np.hstack([columns, other]))
    starts = _starts(number, length)
    ends = starts + np.minimum(length, number - np.arange(0, number, length))  # the last block is cut
    drawn = np.stack([(sums[last] - sums[first]).sum(axis=0) for first, last in zip(starts, ends, strict=True)])
    percent = _percent_of_sums(drawn[:, reference], drawn[:, columns.shape[1] :])
    low, high = np.quantile(percent, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)
    return low, high


def _starts(windows: int, length: int) -> NDArray[np.int64]:
    """Where the blocks of every draw begin, ``[DRAWS, blocks]``; the same for all comparisons of so many windows."""
    return np.random.default_rng(0).integers(0, windows - length + 1, (DRAWS, math.ceil(windows / length)))


def _running(columns: Floats) -> Floats:
    """Sums of the first 0, 1, … rows, ``[N + 1, K]``."""
    return np.cumsum(np.vstack([np.zeros_like(columns[:1]), columns]), axis=0)


def _tested(differences: Floats, days: NDArray[np.int64]) -> tuple[int, list[float]]:
    """The number of days, which ascend, and p of the sums over them of each column of ``[N, K]``."""
    _, begins = np.unique(days, return_index=True)
    return len(begins), signed_ranks(np.add.reduceat(differences, begins, axis=0))
