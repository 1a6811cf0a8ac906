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
from bench.records.window_errors import WindowErrors

DRAWS = 1000
LEVEL = 0.95
FEWEST_SEEDS = 3  # for a claim
MOST_ALIKE = 0.9  # neighbouring blocks; beyond this no number of days would do
HORIZONS = 4  # in a block, at least: windows of neighbouring blocks overlap by one
Floats = NDArray[np.float64]


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
    """

    percent: float
    low: float
    high: float
    seeds: Mapping[int, float]
    days: int
    p: float
    holm: float = math.nan
    least: float = math.nan

    @property
    def testable(self) -> bool:
        """Whether seeds and days are enough for a claim."""
        return len(self.seeds) >= FEWEST_SEEDS and self.least < 1 - LEVEL

    @property
    def significant(self) -> bool:
        """Whether test, interval and every seed agree."""
        sides = {np.sign(value) for value in (self.percent, self.low, self.high, *self.seeds.values())}
        return self.testable and self.holm < 1 - LEVEL and len(sides) == 1


BySeed = Mapping[int, WindowErrors]
"""Errors of the same windows by seed."""


def compare(reference: BySeed, others: Sequence[BySeed], *, horizon: int) -> list[Difference | None]:
    """Differences of lines from the reference on one data set, not yet corrected; the draws are the same for all.

    Returns:
        None for a line that has no seed in common with the reference, or if the reference makes no error.

    Raises:
        StoreError: If the runs are not of the same windows.
    """
    first = next(iter(reference.values()))
    if any(not np.array_equal(run.origins, first.origins) for runs in (reference, *others) for run in runs.values()):
        raise StoreError("runs that are to be compared are not of the same windows; repeat them with --force")
    shared = [sorted({*reference} & {*runs}) for runs in others]
    known = [number for number, seeds in enumerate(shared) if sum(reference[s].absolute.sum() for s in seeds) > 0]
    if not known:
        return [None] * len(others)
    base = np.stack([_mean(reference, shared[number]) for number in known], axis=1)  # [N, K]
    mine = np.stack([_mean(others[number], shared[number]) for number in known], axis=1)
    length = first.per_day * math.ceil(max(first.per_day, HORIZONS * horizon) / first.per_day)
    low, high = _widened(base, mine, length)
    days, chances = _tested(mine - base, (first.origins - first.origins[0]) // length)
    found: list[Difference | None] = [None] * len(others)
    for column, number in enumerate(known):
        seeds = {s: float(_percent(reference[s].absolute, others[number][s].absolute)) for s in shared[number]}
        found[number] = Difference(
            percent=float(_percent(base[:, column], mine[:, column])),
            low=float(low[column]),
            high=float(high[column]),
            seeds=seeds,
            days=days,
            p=chances[column],
        )
    return found


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Holm's correction over all of them."""
    if not differences:
        return []
    values = holm([each.p for each in differences])
    return [
        replace(each, holm=value, least=min(1.0, len(differences) * 2.0 ** (1 - each.days)))
        for each, value in zip(differences, values, strict=True)
    ]


def _mean(runs: BySeed, seeds: Sequence[int]) -> Floats:
    """Absolute errors of each window, averaged over seeds, ``[N]``."""
    mean: Floats = np.mean([runs[seed].absolute for seed in seeds], axis=0)
    return mean


def _percent(base: Floats, mine: Floats) -> Floats:
    """Of the sums over windows, the first axis; 0 where the reference makes no error in any of them."""
    return _percent_of_sums(base.sum(axis=0), mine.sum(axis=0))


def _percent_of_sums(total: Floats, mine: Floats) -> Floats:
    ratio: Floats = np.divide(mine, total, out=np.ones_like(total), where=total > 0)
    percent: Floats = 100 * (ratio - 1)
    return percent


def widening(base: Floats, mine: Floats, length: int) -> Floats:
    """By what a percentile interval of moving blocks must be stretched, ``[K]`` for columns ``[N, K]``.

    The bootstrap takes blocks for independent and their variance for known. Here the sums of neighbouring blocks may
    resemble each other (an autoregression of order one, its coefficient corrected for the short series, after Kendall
    1954), and Student's t stands for the few independent blocks that are left.
    """
    from scipy.stats import norm, t

    errors = mine - base * (mine.sum(axis=0) / base.sum(axis=0))
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
    found = np.divide(
        (centred[1:] * centred[:-1]).sum(axis=0), variance, out=np.zeros_like(variance), where=variance > 0
    )
    corrected: Floats = np.clip(found + (1 + 4 * found) / len(blocks), 0, MOST_ALIKE)
    return corrected


def _widened(base: Floats, mine: Floats, length: int) -> tuple[Floats, Floats]:
    """Lower and upper bounds ``[K]``, each set off from the difference by ``widening`` times its distance."""
    low, high = _intervals(base, mine, length)
    middle, factor = _percent(base, mine), widening(base, mine, length)
    return middle - factor * (middle - low), middle + factor * (high - middle)


def _block_variance(errors: Floats, length: int) -> Floats:
    """Of the sum of a block, over all moving blocks, ``[K]``."""
    sums = _running(errors)
    variance: Floats = np.var(sums[length:] - sums[:-length], axis=0)
    return variance


def _intervals(base: Floats, mine: Floats, length: int) -> tuple[Floats, Floats]:
    """Lower and upper bounds ``[K]`` for columns ``[N, K]``; blocks are at most half as long as the series."""
    number, length = len(base), max(1, min(length, len(base) // 2))
    columns, reference = np.unique(base, axis=1, return_inverse=True)  # most lines share the reference's errors
    sums = _running(np.hstack([columns, mine]))
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
