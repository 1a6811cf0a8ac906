"""Comparison of two methods on the same test windows: how large a difference is, how sure, and what may be said of it.

Two things are sampled, and both count. The *seeds*: another seed gives another error, so what several runs of a method
have in common is only known as well as their spread and number allow (Welch's test; seed 3 of one method has nothing to
do with seed 3 of another). The *windows*: another test period would have had other weather, so the difference of the
two methods on each window, averaged over seeds, is only known as well as ``lasting`` says. The two variances are added.
What varies by seed and window at once is in both, so their sum is rather too large than too small. Satterthwaite's
degrees of freedom go with it, and t test and interval are made of the same two numbers.

Tested is the logarithm of the ratio of the two mean errors, in hundredths, which for small differences is the
difference in percent. So a test says the same whichever of the two is the reference, and no interval reaches below
-100 %.

Four verdicts on the method that the others are compared with, the reference:

- *equivalent*: the 90 % interval lies within plus and minus the margin that the suite declares beforehand, which is the
  test of two one-sided hypotheses (TOST; Schuirmann 1987), after Holm's correction over the methods compared. A
  difference that is surely smaller than matters is equivalent, whether or not it is surely there.
- *better*, *worse*: the two-sided t test, p < 0.05 after the same correction; the 95 % interval excludes 0.
- *open*: anything else, and whatever cannot be tested (``Difference.lacking``) or quoted. ``Difference.detectable`` is
  then the smallest difference that would have been found in 80 % of cases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from bench.analysis.stats.lasting import FEWEST_DAYS, variance_of_mean
from bench.analysis.stats.power import FEWEST_SEEDS, LEVEL, Uncertainty, detectable, seeds_needed
from bench.analysis.stats.ranking import holm
from bench.errors import StoreError
from bench.records.arrays import Floats, WindowErrors, values_of

MARGIN = 1.0  # percent; a suite may declare another
MOST_LOG = 700.0  # of a ratio that a float can hold

Verdict: TypeAlias = Literal["better", "worse", "equivalent", "open"]


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of one method on one data set.

    Attributes:
        windows: Errors by run, whose seeds differ.
        seeded: Whether the method depends on a seed: through training by epochs, random weights, forecasts or a fit
            that draw. The single run of one that does not (a naive baseline, a fit in closed form) is all that there is
            to know; of one that does, it says nothing about the next.
    """

    windows: Sequence[WindowErrors]
    seeded: bool = True


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Mean absolute error less that of the reference, in percent of the reference's: above 0 the reference is better.

    Attributes:
        percent: Of errors averaged over the seeds of each.
        seeds: By run of the method, its own difference from the mean of the reference, in percent.
        reference_seeds: Runs of the reference.
        days: Of the test period, in whole days of windows.
        uncertainty: Of ``points``; None where a method with a seed has fewer runs than ``FEWEST_SEEDS``, or there is a
            single window.
        margin: Within which a difference does not matter, in percent.
        p: Of the t test that there is no difference, two-sided.
        p_equivalent: Of the two one-sided t tests that it is not within the margin.
        holm, holm_equivalent: The same, corrected by Holm for all methods tested on this data set.
        tested: How many these are.
        weights: Of the reference.
        quotable: Whether it may be claimed at all: on real data or where an effect was planted, and in a profile that
            allows claims.
    """

    percent: float
    seeds: Sequence[float]
    reference_seeds: int
    days: int
    uncertainty: Uncertainty | None
    margin: float = MARGIN
    p: float = math.nan
    p_equivalent: float = math.nan
    holm: float = math.nan
    holm_equivalent: float = math.nan
    tested: int = 1
    weights: str = ""
    quotable: bool = True

    @property
    def points(self) -> float:
        """What is tested: 100 times the logarithm of the ratio of the two errors."""
        return points_of(self.percent)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval in percent; it excludes 0 where ``p`` is below 0.05. NaN where nothing is known of it."""
        half = self.uncertainty.half_width(1 - LEVEL / 2) if self.uncertainty else math.nan
        return percent_of(self.points - half), percent_of(self.points + half)

    @property
    def lacking(self) -> Literal["seeds", "days", ""]:
        """What a claim would need first: a longer test period, more seeds, or nothing."""
        return "days" if self.days < FEWEST_DAYS else "seeds" if self.uncertainty is None else ""

    @property
    def verdict(self) -> Verdict:
        """As the module's docstring defines it."""
        if not self.quotable or self.lacking:
            return "open"
        if self.holm_equivalent < LEVEL:
            return "equivalent"
        if self.holm < LEVEL:
            return "better" if self.percent > 0 else "worse"
        return "open"

    @property
    def detectable(self) -> float:
        """The smallest true difference in percent that these runs would show in 80 % of cases; NaN if none can be."""
        if self.uncertainty is None or self.lacking:
            return math.nan
        return percent_of(detectable(self.uncertainty, self.tested))

    def seeds_for(self, percent: float) -> int | None:
        """About how many seeds of each method would show a true difference of this size in 80 % of cases.

        None if not even ``bench.analysis.stats.power.MOST_SEEDS`` would, since it is too small for the test period.
        """
        if self.uncertainty is None or self.lacking:
            return None
        return seeds_needed(self.uncertainty, abs(points_of(percent)), self.tested)


def compare(reference: Runs, others: Sequence[Runs], *, margin: float = MARGIN) -> list[Difference | None]:
    """Differences of methods from the reference on one data set, not yet corrected.

    Returns:
        None for all if the reference makes no error, or has no run.

    Raises:
        StoreError: If the runs are not of the same windows.
    """
    every = [run for runs in (reference, *others) for run in runs.windows]
    if any(run.origins != every[0].origins for run in every):
        raise StoreError(
            "runs that are to be compared are not of the same windows; repeat them with --force, or force=True"
        )
    base = _errors(reference)
    if not base.sum() > 0:
        return [None] * len(others)
    per_day = reference.windows[0].windows_per_day
    return [
        difference(base, _errors(runs), per_day, seeded=(reference.seeded, runs.seeded), margin=margin)
        if runs.windows
        else None
        for runs in others
    ]


def difference(
    reference: Floats,
    other: Floats,
    per_day: float,
    *,
    seeded: tuple[bool, bool] = (True, True),
    margin: float = MARGIN,
) -> Difference:
    """The difference of a method from the reference, by their errors on each run and window.

    Args:
        reference: ``[S, N]``, windows in ascending order of time, ``per_day`` of them a day; not all 0.
        other: ``[S', N]``, on the same windows.
        per_day: Windows of a day.
        seeded: Whether the reference and the method depend on a seed.
        margin: Within which a difference does not matter, in percent.
    """
    unit = 100 / reference.mean()
    uncertainty = _uncertainty(_in_percent(reference), _in_percent(other), seeded, per_day)
    percent = float(unit * other.mean() - 100)
    points = points_of(percent)
    return Difference(
        percent=percent,
        seeds=[float(value) for value in unit * other.mean(axis=1) - 100],
        reference_seeds=len(reference),
        days=int(other.shape[1] // per_day),
        uncertainty=uncertainty,
        margin=margin,
        p=uncertainty.p(points) if uncertainty else math.nan,
        p_equivalent=uncertainty.p_within(points, points_of(margin)) if uncertainty else math.nan,
    )


def points_of(percent: float) -> float:
    """100 times the logarithm of a ratio that is more than 1 by so many percent; minus infinity for none at all."""
    return 100 * math.log1p(percent / 100) if percent > -100 else -math.inf


def percent_of(points: float) -> float:
    """By how many percent a ratio is more than 1, by 100 times its logarithm."""
    return 100 * math.expm1(min(points / 100, MOST_LOG))


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """Holm's correction over all that can be tested, of the tests for a difference and of those for equivalence."""
    tested = [number for number, difference in enumerate(differences) if not difference.lacking]
    by_holm = holm([differences[number].p for number in tested])
    equivalent = holm([differences[number].p_equivalent for number in tested])
    made = list(differences)
    for number, p, p_equivalent in zip(tested, by_holm, equivalent, strict=True):
        made[number] = replace(made[number], holm=p, holm_equivalent=p_equivalent, tested=len(tested))
    return made


def _errors(runs: Runs) -> Floats:
    """Absolute errors of each run and window, ``[S, N]``."""
    return np.stack([values_of(run.absolute) for run in runs.windows])


def _in_percent(errors: Floats) -> Floats:
    """Of their mean."""
    return 100 * errors / errors.mean() if errors.any() else errors


def _uncertainty(base: Floats, other: Floats, seeded: tuple[bool, bool], per_day: float) -> Uncertainty | None:
    """Of the difference of the logarithms of the means of ``[S, N]`` and ``[S', N]``, each in percent of its mean."""
    both = (base, other)
    if any(varies and len(runs) < FEWEST_SEEDS for varies, runs in zip(seeded, both, strict=True)):
        return None
    if other.shape[1] < 2:
        return None
    (windows,), waves = variance_of_mean((other.mean(axis=0) - base.mean(axis=0))[:, None], per_day)
    spreads = [float(runs.mean(axis=1).var(ddof=1)) if len(runs) > 1 else 0.0 for runs in both]
    return Uncertainty(
        windows=float(windows), waves=waves, spreads=(spreads[0], spreads[1]), seeds=(len(base), len(other))
    )
