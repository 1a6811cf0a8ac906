"""Models compared over data sets: ranks, Friedman's test, Nemenyi's critical difference, Wilcoxon's test with Holm's.

Scores are a frame of errors, data sets down and models across, without gaps; the lower error is the better one. A data
set is one witness, however many windows and seeds it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LEVEL = 0.05
FEWEST_DATASETS = 2  # that make a ranking
FEWEST_MODELS = 2
ALL_SIGNS = 13  # so many differences have few enough ways to be signed
FRIEDMAN_MODELS = 3  # with two models Friedman's test is a sign test


@dataclass(frozen=True, kw_only=True)
class Friedman:
    """Whether the models differ at all.

    Attributes:
        chi2, p: Friedman's statistic and its p by the chi-square distribution.
        f, f_p: Iman and Davenport's form of it, which is less cautious.
    """

    chi2: float
    p: float
    f: float
    f_p: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """How often one model is better than, level with and worse than another, over data sets and other models."""

    wins: int
    ties: int
    losses: int


def ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """The rank of every model on every data set, 1 the best; equal errors share the mean of their ranks."""
    return scores.rank(axis=1, method="average")


def average_ranks(scores: pd.DataFrame) -> pd.Series[float]:
    """Ranks averaged over data sets, by model."""
    return ranks(scores).mean()


def friedman(scores: pd.DataFrame, *, correct_ties: bool = True) -> Friedman:
    """Friedman's test of the models' ranks.

    Args:
        scores: At least 2 data sets and 3 models.
        correct_ties: Whether ties raise the statistic, as in scipy; the textbooks' short formula does without.

    Returns:
        A statistic of 0 and p of 1 if all models are level everywhere.
    """
    from scipy.stats import chi2 as chi_square
    from scipy.stats import f as fisher

    n, k = scores.shape
    placed = ranks(scores)
    raw = 12 * n / (k * (k + 1)) * float(((placed.mean() - (k + 1) / 2) ** 2).sum())
    spread = float(((placed - (k + 1) / 2) ** 2).to_numpy().sum()) * 12 / (n * k * (k * k - 1)) if correct_ties else 1.0
    statistic = min(raw / spread, float(n * (k - 1))) if spread > 0 else 0.0  # never above its bound by rounding
    rest = n * (k - 1) - statistic
    ratio = (n - 1) * statistic / rest if rest > 0 else math.inf
    return Friedman(
        chi2=statistic,
        p=float(chi_square.sf(statistic, k - 1)),
        f=ratio,
        f_p=float(fisher.sf(ratio, k - 1, (k - 1) * (n - 1))),
    )


def critical_difference(models: int, datasets: int, level: float = LEVEL) -> float:
    """Nemenyi's: how far two average ranks must lie apart."""
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(1 - level, models, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(models * (models + 1) / (6 * datasets))


def pairwise(scores: pd.DataFrame) -> pd.DataFrame:
    """Wilcoxon's signed-rank test over data sets of every pair of models, two-sided.

    What is ranked is the difference of two errors as a share of their sum, in the order of their ratio: data sets
    differ in units, and none may outweigh another by its own.

    Returns:
        By (``first``, ``second``), in the order of the columns: ``p``, and ``holm``, corrected for all pairs. Models
        that are level everywhere have a p of 1.
    """
    from itertools import combinations

    import numpy as np
    import pandas as pd

    pairs = list(combinations(scores.columns, 2))
    columns = {name: scores[name].to_numpy() for name in scores.columns}
    relative = [_relative(columns[first], columns[second]) for first, second in pairs]
    values = signed_ranks(np.stack(relative, axis=1)) if pairs else []
    index = pd.MultiIndex.from_tuples(pairs, names=["first", "second"])
    return pd.DataFrame({"p": values, "holm": holm(values)}, index=index)


def holm(values: Sequence[float]) -> list[float]:
    """The p of several tests, corrected for their number by Holm's method, in their order."""
    import gc

    from statsmodels.stats.multitest import multipletests

    gc.freeze()  # it searches the whole memory for garbage, which takes a tenth of a second among many records
    try:
        _, corrected, _, _ = multipletests(values, method="holm")
    finally:
        gc.unfreeze()
    return [float(value) for value in corrected]


def _relative(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences as a share of the sums; 0 where neither has an error."""
    import numpy as np

    total = first + second
    return np.divide(first - second, total, out=np.zeros_like(total), where=total > 0)


def win_tie_loss(scores: pd.DataFrame, tolerance: float = 0.0) -> dict[str, Record]:
    """Every model against every other on every data set.

    Args:
        scores: As printed, if what prints alike is a tie.
        tolerance: Share of the smaller error up to which two errors are a tie.
    """
    import numpy as np

    values = scores.to_numpy(float)
    gap = values[:, :, None] - values[:, None, :]  # [data set, model, other]
    near = np.abs(gap) <= tolerance * np.minimum(values[:, :, None], values[:, None, :])
    wins, losses = ((sign & ~near).sum(axis=(0, 2)) for sign in (gap < 0, gap > 0))
    ties = near.sum(axis=(0, 2)) - len(values)  # no model is its own rival
    return {
        str(model): Record(wins=int(wins[place]), ties=int(ties[place]), losses=int(losses[place]))
        for place, model in enumerate(scores.columns)
    }


def skill(scores: pd.DataFrame, floors: pd.Series[float]) -> pd.DataFrame:
    """1 - error / error of the best floor, by data set and model: 0 is a floor's own, 1 no error at all.

    Args:
        scores: As above.
        floors: The best floor's error by data set; NaN, or 0, where there is nothing to be measured by.
    """
    return 1 - scores.div(floors.where(floors > 0), axis=0)


def datasets_for_a_claim(comparisons: int, level: float = LEVEL) -> int:
    """The fewest data sets with which Wilcoxon's test, corrected for so many comparisons, can fall below the level.

    With n data sets that all agree, the smallest two-sided p is 2 / 2^n; Holm multiplies the first by ``comparisons``.
    """
    needed = 1
    while comparisons * 2.0 ** (1 - needed) >= level:
        needed += 1
    return needed


def pairs(models: int) -> int:
    """How many comparisons of two there are among so many models."""
    return models * (models - 1) // 2


def cliques(average: pd.Series[float], difference: float) -> list[tuple[str, ...]]:
    """Groups of models whose average ranks lie less than the difference apart, best first; none inside another."""
    ordered = average.sort_values(kind="stable")
    found: list[tuple[str, ...]] = []
    for start, rank in enumerate(ordered):
        group = tuple(map(str, ordered.index[start:][ordered.iloc[start:] < rank + difference]))
        if len(group) > 1 and not any(set(group) <= set(other) for other in found):
            found.append(group)
    return found


def signed_ranks(columns: NDArray[np.float64]) -> list[float]:
    """``signed_rank`` of each column of ``[N, K]``; those without ties and zeros, which are most, at once."""
    import numpy as np
    from scipy.stats import wilcoxon

    ordered = np.sort(np.abs(columns), axis=0)
    steps = np.diff(ordered, axis=0, prepend=0)
    plain = np.all(steps > 0, axis=0) & (len(columns) > 0)
    values = np.empty(columns.shape[1])
    for column in np.flatnonzero(~plain):
        values[column] = signed_rank(columns[:, column])
    if plain.any():
        values[plain] = wilcoxon(columns[:, plain], axis=0).pvalue
    return [float(value) for value in values]


def signed_rank(differences: NDArray[np.float64]) -> float:
    """The two-sided p of Wilcoxon's test; what does not differ counts for neither side, and 1 if nothing differs.

    As scipy's ``wilcoxon`` has it: exact up to 50 without ties, over all signs for 13 and fewer with ties, else
    asymptotic. Its way over all signs ranks the values anew for each and takes a second; here they are ranked once.
    """
    import numpy as np
    from scipy.stats import permutation_test, rankdata, wilcoxon

    found = differences[differences != 0]
    if not len(found):
        return 1.0
    if len(differences) > ALL_SIGNS or len(np.unique(np.abs(differences))) == len(found) == len(differences):
        return float(wilcoxon(differences).pvalue)
    ranked = np.sign(found) * rankdata(np.abs(found))
    if len(ranked) == 1:
        return 1.0
    every = permutation_test((ranked,), np.sum, permutation_type="samples", vectorized=True, n_resamples=2**ALL_SIGNS)
    return float(every.pvalue)
