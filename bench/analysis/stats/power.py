"""How sure a difference is, how small a one could have been found, and how many seeds would find it.

Everything is in hundredths of the logarithm of an error, which for small differences are percent, or in their square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.05
POWER = 0.8
FEWEST_SEEDS = 3  # of a method whose runs differ; the spread of two is known so badly that real runs broke the level
MOST_SEEDS = 200  # nobody would run more


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """The variance of the difference of two methods, part by part.

    Attributes:
        windows: Variance of the mean over the test windows, of errors averaged over seeds.
        waves: Its degrees of freedom.
        spreads: Variance of one run of the reference, and of one run of the method, among seeds; 0 without a seed.
        seeds: Runs of the reference and of the method.
    """

    windows: float
    waves: int
    spreads: tuple[float, float]
    seeds: tuple[int, int]

    @property
    def error(self) -> float:
        """The standard error."""
        return math.sqrt(_total(self, *self.seeds)[0])

    @property
    def freedom(self) -> float:
        """Satterthwaite's degrees of freedom."""
        return float(_total(self, *self.seeds)[1])

    def half_width(self, upper: float) -> float:
        """Of an interval whose upper bound is this quantile."""
        from scipy.stats import t

        return float(t.ppf(upper, self.freedom)) * self.error

    def p(self, points: float) -> float:
        """Two-sided, of no difference."""
        return min(1.0, 2 * self._beyond(abs(points)))

    def p_within(self, points: float, margin: float) -> float:
        """The larger of two one-sided p, of a difference beyond the margin."""
        return self._beyond(margin - abs(points))

    def _beyond(self, distance: float) -> float:
        """How often an estimate lies farther than this above the truth."""
        from scipy.stats import t

        if self.error == 0:
            return 0.5 if distance == 0 else float(distance < 0)
        return float(t.sf(distance / self.error, self.freedom))


def detectable(uncertainty: Uncertainty, tested: int) -> float:
    """The smallest true difference that would be found in ``POWER`` of cases as the first of so many tested."""
    return float(_smallest(*_total(uncertainty, *uncertainty.seeds), tested))


def seeds_needed(uncertainty: Uncertainty, points: float, tested: int) -> int | None:
    """How many seeds each method needs for that to be this small; None if ``MOST_SEEDS`` are too few.

    What varies by window is taken as it is, although a part of it would be averaged out by more seeds.
    """
    number = np.arange(FEWEST_SEEDS, MOST_SEEDS + 1)
    enough = _smallest(*_total(uncertainty, number, number), tested) <= points
    return int(number[np.argmax(enough)]) if enough.any() else None


def _total(
    uncertainty: Uncertainty, reference: ArrayLike, own: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variance and degrees of freedom with so many seeds of the reference and of the method."""
    known, reference, own = np.broadcast_arrays(1.0, reference, own)
    of_reference, of_own = uncertainty.spreads
    parts = np.stack([uncertainty.windows * known, of_reference / reference, of_own / own])
    freedom = np.stack([uncertainty.waves * known, np.maximum(reference - 1, 1), np.maximum(own - 1, 1)])
    variance, squares = parts.sum(axis=0), (parts**2 / freedom).sum(axis=0)
    none = squares == 0
    return variance, np.where(none, uncertainty.waves, variance**2 / np.where(none, 1.0, squares))


def _smallest(variance: NDArray[np.float64], freedom: NDArray[np.float64], tested: int) -> NDArray[np.float64]:
    """What is found in ``POWER`` of cases, if the p of the first of so many tests is multiplied by their number."""
    from scipy.special import nctdtrinc
    from scipy.stats import t

    shift = nctdtrinc(freedom, 1 - POWER, t.ppf(1 - LEVEL / (2 * tested), freedom))  # of the noncentral t distribution
    return np.asarray(shift * np.sqrt(variance))
