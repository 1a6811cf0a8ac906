"""Models compared over data sets: ranks, Friedman's test, Nemenyi's critical difference, Wilcoxon's test with Holm's.

Scores are a frame of errors, data sets down and models across, without gaps; the lower error is the better one. A data
set is one witness, however many windows and seeds it has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, combinations, count
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


def ranks(scores: pd.DataFrame) -> pd.DataFrame:
    """The rank of every model on every data set, 1 the best; equal errors share the mean of their ranks."""
    return scores.rank(axis=1, method="average")


def average_ranks(scores: pd.DataFrame) -> pd.Series[float]:
    """Ranks averaged over data sets, by model."""
    return ranks(scores).mean()


def friedman(scores: pd.DataFrame) -> tuple[float, float]:
    """Friedman's test of the models' ranks, of which there must be 3 at least.

    Returns:
        Its statistic, and p by the chi-square distribution; 0 and 1 if all models are level everywhere.
    """
    from scipy.stats import friedmanchisquare

    if scores.eq(scores.iloc[:, 0], axis=0).to_numpy().all():
        return 0.0, 1.0
    test = friedmanchisquare(*scores.to_numpy().T)
    return float(test.statistic), float(test.pvalue)


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
    import numpy as np
    import pandas as pd

    rivals = list(combinations(scores.columns, 2))
    columns = {name: scores[name].to_numpy() for name in scores.columns}
    relative = [_relative(columns[first], columns[second]) for first, second in rivals]
    values = signed_ranks(np.stack(relative, axis=1)) if rivals else []
    index = pd.MultiIndex.from_tuples(rivals, names=["first", "second"])
    return pd.DataFrame({"p": values, "holm": holm(values)}, index=index)


def holm(values: Sequence[float]) -> list[float]:
    """The p of several tests, corrected for their number by Holm's method, in their order (Holm 1979)."""
    order = sorted(range(len(values)), key=lambda test: values[test])
    stepped = accumulate((min(1.0, (len(values) - rank) * values[test]) for rank, test in enumerate(order)), max)
    return [p for _, p in sorted(zip(order, stepped, strict=True))]


def _relative(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences as a share of the sums; 0 where neither has an error."""
    import numpy as np

    total = first + second
    return np.divide(first - second, total, out=np.zeros_like(total), where=total > 0)


def win_tie_loss(scores: pd.DataFrame) -> dict[str, tuple[int, int, int]]:
    """How often each model is better than, level with and worse than any other on any data set."""
    values = scores.to_numpy(float)
    gaps = values[:, :, None] - values[:, None, :]  # [data set, model, other]
    wins, ties, losses = ((gaps < 0).sum((0, 2)), (gaps == 0).sum((0, 2)) - len(values), (gaps > 0).sum((0, 2)))
    return {
        str(model): (int(win), int(tie), int(loss))
        for model, win, tie, loss in zip(scores.columns, wins, ties, losses, strict=True)
    }


def skill(scores: pd.DataFrame, naive: pd.Series[float]) -> pd.DataFrame:
    """1 - error / error of the best naive baseline, by data set and model: 0 is that baseline's own, 1 no error at all.

    Args:
        scores: As above.
        naive: The best naive baseline's error by data set; NaN, or 0, where there is nothing to be measured by.
    """
    return 1 - scores.div(naive.where(naive > 0), axis=0)


def datasets_for_a_claim(comparisons: int) -> int:
    """The fewest data sets with which Wilcoxon's test, corrected for so many comparisons, can fall below the level.

    With n data sets that all agree, the smallest two-sided p is 2 / 2^n; Holm multiplies the first by ``comparisons``.
    """
    return next(number for number in count(1) if comparisons * 2.0 ** (1 - number) < LEVEL)


def pairs(models: int) -> int:
    """How many comparisons of two there are among so many models."""
    return math.comb(models, 2)


def cliques(average: pd.Series[float], difference: float) -> list[tuple[str, ...]]:
    """Groups of models whose average ranks lie less than the difference apart, best first; none inside another."""
    ordered = average.sort_values(kind="stable")
    groups: list[tuple[str, ...]] = []
    for start, rank in enumerate(ordered):
        group = tuple(map(str, ordered.index[start:][ordered.iloc[start:] < rank + difference]))
        if len(group) > 1 and not any(set(group) <= set(other) for other in groups):
            groups.append(group)
    return groups


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

    unequal = differences[differences != 0]
    if not len(unequal):
        return 1.0
    if len(differences) > ALL_SIGNS or len(np.unique(np.abs(differences))) == len(unequal) == len(differences):
        return float(wilcoxon(differences).pvalue)
    ranked = np.sign(unequal) * rankdata(np.abs(unequal))
    if len(ranked) == 1:
        return 1.0
    every = permutation_test((ranked,), np.sum, permutation_type="samples", vectorized=True, n_resamples=2**ALL_SIGNS)
    return float(every.pvalue)
