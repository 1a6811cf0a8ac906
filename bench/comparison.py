"""Paired comparison of forecasts of the same windows: how large a difference is, how sure, and whether chance does it.

Neighbouring windows overlap and share their hour's weather, so single windows are no independent witnesses. The
interval comes from a moving-block bootstrap, whose blocks are a day long, and the test is made on days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bench.errors import StoreError
from bench.window_errors import WindowErrors

DRAWS = 1000
LEVEL = 0.95
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean absolute error less that of a reference, in percent of the reference's: above 0 the reference is better.

    Attributes:
        percent: Of errors averaged over seeds.
        low, high: The 95 % interval of a moving-block bootstrap over windows.
        seeds: By seed that both have, its own difference in percent.
        p: Of Wilcoxon's signed-rank test over days, two-sided.
        holm: The same, corrected by Holm for all comparisons made together.
    """

    percent: float
    low: float
    high: float
    seeds: Mapping[int, float]
    p: float
    holm: float

    @property
    def significant(self) -> bool:
        """Whether test, interval and every seed agree."""
        sides = {np.sign(value) for value in (self.percent, self.low, self.high, *self.seeds.values())}
        return self.holm < 1 - LEVEL and len(sides) == 1


Runs = Mapping[int, WindowErrors]
"""Errors of the same windows by seed."""


def compare(reference: Runs, others: Sequence[Runs], *, horizon: int) -> list[Difference]:
    """Differences of several lines from one reference on one data set; the draws of windows are the same for all.

    A block is as long as the horizon, in steps, and a day at least.

    Raises:
        StoreError: If the runs are not of the same windows.
    """
    first = next(iter(reference.values()))
    if any(not np.array_equal(run.origins, first.origins) for runs in (reference, *others) for run in runs.values()):
        raise StoreError("runs that are to be compared are not of the same windows; repeat them with --force")
    length = max(first.per_day, horizon)
    base = _absolute(reference)
    columns = [_absolute(runs) for runs in others]
    bounds = _intervals(base, np.stack(columns, axis=1), length)
    return [
        Difference(
            percent=_percent(column, base),
            low=low,
            high=high,
            seeds={
                seed: _percent(runs[seed].absolute, reference[seed].absolute) for seed in sorted({*runs} & {*reference})
            },
            p=(p := _signed_rank(column - base, (first.origins - first.origins[0]) // length)),
            holm=p,
        )
        for runs, column, (low, high) in zip(others, columns, bounds, strict=True)
    ]


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Holm's correction over all of them."""
    from statsmodels.stats.multitest import multipletests

    if not differences:
        return []
    _, values, _, _ = multipletests([difference.p for difference in differences], method="holm")
    return [replace(each, holm=float(value)) for each, value in zip(differences, values, strict=True)]


def _absolute(runs: Runs) -> Floats:
    """Absolute errors of each window, averaged over seeds, ``[N]``."""
    mean: Floats = np.mean([run.absolute for run in runs.values()], axis=0)
    return mean


def _percent(values: Floats, base: Floats) -> float:
    return float(100 * (values.sum() / base.sum() - 1))


def _intervals(base: Floats, columns: Floats, length: int) -> list[tuple[float, float]]:
    """Of each of the columns ``[N, K]``; blocks are at most half as long as the series."""
    from arch.bootstrap import MovingBlockBootstrap

    block = max(1, min(length, len(base) // 2))
    draws = MovingBlockBootstrap(block, np.column_stack((base, columns)), seed=0)
    found = draws.conf_int(lambda drawn: _ratios(drawn.sum(axis=0)), DRAWS, method="percentile", size=LEVEL)
    return [(float(low), float(high)) for low, high in found.T]


def _ratios(sums: Floats) -> Floats:
    ratios: Floats = 100 * (sums[1:] / sums[0] - 1)
    return ratios


def _signed_rank(differences: Floats, days: NDArray[np.int64]) -> float:
    """P of the differences' sums over days; 1 if nothing differs."""
    from scipy.stats import wilcoxon

    sums = np.bincount(days, weights=differences)[np.unique(days)]
    return float(wilcoxon(sums).pvalue) if np.any(sums) else 1.0
