"""How sure a mean over time is when its noise lasts: the variance of the mean of a series, from its slow waves alone.

Neighbouring windows overlap and share the weather of their hour and day, so N windows are far fewer witnesses than N.
What the mean of a series may be off by is said by its slowest movements: its first cosines, from half a wave over the
whole test period on, are of the variance that N times the mean has, if the noise is short-lived beside them (the
equal-weighted cosine estimate: Müller 2004; Lazarus, Lewis, Stock and Watson 2018). Daily rhythms hardly enter them.

Noise that lasts is weaker in these waves than in the mean. How long it lasts cannot be told from a test period of a few
weeks, so it is assumed: noise that is halved in up to ``LASTING`` hours, the least favourable case of which, an
autoregression of order one, decides by how much each wave is raised. If the noise lasts that long the estimate has the
right size, and if it is shorter-lived the estimate is too large, never too small.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.records.arrays import Floats

LASTING = 48.0  # hours in which noise is halved at the slowest
FEWEST_DAYS = 7  # of a test period; a shorter one is less than four half-lives of such noise, and not even a week
MOST_WAVES = 24
UPPER = 0.975


def variance_of_mean(columns: Floats, per_day: float) -> tuple[Floats, int]:
    """Of the means of series ``[N, K]``, one value each in ascending order of time, and the degrees of freedom.

    Args:
        columns: At least two rows. A gap in time is passed over as if there were none.
        per_day: Rows of a day.

    Returns:
        The variances ``[K]``, and the number of waves that they are made of.
    """
    waves, raised = slow_waves(len(columns), per_day)
    energy = (waves @ columns) ** 2
    variance: Floats = raised @ energy / (len(raised) * len(columns))
    return variance, len(raised)


@lru_cache(maxsize=64)
def slow_waves(windows: int, per_day: float) -> tuple[Floats, Floats]:
    """The cosines ``[Q, N]``, of length 1, and by how much the energy of each is raised, ``[Q]``.

    There are as many of them as make the interval for short-lived noise the narrowest: more waves mean more degrees of
    freedom, but faster ones say less about noise that lasts.
    """
    from scipy.stats import t

    number = min(MOST_WAVES, windows - 1)
    phase = np.pi * (np.arange(windows) + 0.5) / windows
    waves = np.sqrt(2 / windows) * np.cos(np.arange(1, number + 1)[:, None] * phase)
    level = np.full((1, windows), windows**-0.5)
    of_level, *of_waves = _variances(np.vstack([level, waves]), 0.5 ** (24 / (per_day * LASTING)))
    raised = of_level / np.array(of_waves)
    freedom = np.arange(1, number + 1)
    widths = t.ppf(UPPER, freedom) * np.sqrt(np.cumsum(raised) / freedom)
    best = int(np.argmin(widths)) + 1
    return waves[:best], raised[:best]


def _variances(rows: NDArray[np.float64], kept: float) -> Floats:
    """Of the sums over time of ``[Q, N]`` weights times an autoregression of which so much is kept at each step."""
    from scipy.signal import lfilter

    faded = lfilter([1.0], [1.0, -kept], rows, axis=1)
    variance: Floats = 2 * (rows * faded).sum(axis=1) - (rows * rows).sum(axis=1)
    return variance
