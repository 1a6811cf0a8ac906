"""Intervals for the mean over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

LEVEL = 0.95


def seed_interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's t-interval for the mean of seeds, of which a few are all there is; NaN for fewer than two."""
    if len(values) < 2:
        return math.nan, math.nan
    from scipy import stats

    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return mean - reach, mean + reach
