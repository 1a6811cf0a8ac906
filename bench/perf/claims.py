"""How often comparisons claim what is not so, and find what is: ``python -m bench.perf.claims [RESULTS]``.

With a results folder, the runs of each model on each data set, which differ in their seeds alone, are divided into
groups at random, as if they were of different methods (A/A): one pair of groups, and a reference with five equal arms.
Then one group's errors are scaled by a planted difference (A/B), which should be found. Without a folder, runs are
simulated: noise that each method has of its own, that each seed has of its own, and seeds that are better or worse
throughout; the noise is white or fades, over test periods of several lengths. All go through the functions that make
the tables.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import typer

from bench.analysis.stats.comparison import Difference, Verdict, corrected, difference
from bench.records.arrays import Floats, values_of
from bench.records.record import DoneRun
from bench.records.store import ResultStore

SIZES = (3, 6)  # seeds of a method
ARMS = 5  # beside the reference
MOST_WAYS = 20_000  # of dividing runs, that all are taken
HALVED = (0, 6, 24, 48)  # hours
DAYS = (9, 27, 60)
PER_DAY = (24, 48)
NOISE = 0.5  # percent: standard deviation that one source of noise gives to the mean error of a method or a run
SOURCES: Mapping[str, tuple[float, float, float]] = {
    "time": (0.0, 1.0, 0.0),
    "seeds": (1.0, 0.0, 0.0),
    "seed x time": (0.0, 0.0, 1.0),
    "seeds, some time": (1.0, 0.4, 0.0),
    "all": (1.0, 1.0, 1.0),
}
"""By name how much of the noise is of seeds, of method and window, and of seed and window."""

_LINE = "{:>5} {:>6} {:>6} {:>6} {:>6} {:>6} {:>8}  {}"
HEAD = _LINE.format("seeds", "A/A", "any", "equal", "A/B", "any", "smallest", "runs")

Draws: TypeAlias = Callable[[int, int], Iterator[Floats]]
"""Makes, of a number of seeds S and a number of draws, errors ``[M, S, N]`` of M equal methods for each draw."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of draws, from 0 to 1.

    Attributes:
        single: One comparison of equal methods is called better or worse.
        family: At least one of five comparisons with one reference is, after correction.
        equivalent: One comparison of equal methods is called equivalent.
        found: A planted difference is found, on the right side, in one comparison.
        found_of_five: It is found in one of five comparisons, after correction; the other four have none.
        detectable: Median of the smallest difference that one comparison says it could have shown, in percent.
    """

    single: float
    family: float
    equivalent: float
    found: float
    found_of_five: float
    detectable: float


def rates(drawn: Iterable[Floats], per_day: float, *, planted: float, margin: float) -> Rates:
    """What comes of draws ``[M, S, N]`` of M equal methods, all of one M; ``planted`` and ``margin`` are percent."""
    counts, smallest, family = Counter[str](), [], False
    for errors in drawn:
        arms = [difference(errors[0], arm, per_day, margin=margin) for arm in errors[1:]]
        changed = difference(errors[0], errors[1] * (1 + planted / 100), per_day, margin=margin)
        alone, family = verdict([arms[0]]), len(arms) == ARMS
        counts["single"] += alone in ("better", "worse")
        counts["equivalent"] += alone == "equivalent"
        counts["family"] += any(arm.verdict in ("better", "worse") for arm in corrected(arms))
        counts["found"] += verdict([changed]) == "better"
        counts["found_of_five"] += verdict([changed, *arms[1:]]) == "better"
        smallest.append(arms[0].detectable)
    shares = {name: counts[name] / len(smallest) for name in ("single", "equivalent", "found")}
    of_five = {name: counts[name] / len(smallest) if family else math.nan for name in ("family", "found_of_five")}
    return Rates(**shares, **of_five, detectable=float(np.median(smallest)))


def verdict(differences: list[Difference]) -> Verdict:
    """On the first of them, all corrected together."""
    return corrected(differences)[0].verdict


def simulated(days: int, per_day: int, halved: float, source: tuple[float, float, float]) -> Draws:
    """A reference and its arms, whose mean errors are 100, with noise that is halved in so many hours."""
    seeds_part, time_part, both_part = source
    windows = days * per_day
    unit = NOISE / np.std(_noise(np.random.default_rng(0), (2000, windows), per_day, halved).mean(axis=1))

    def draw(seeds: int, draws: int) -> Iterator[Floats]:
        rng, methods = np.random.default_rng(0), ARMS + 1
        for _ in range(draws):
            errors = np.full((methods, seeds, windows), 100.0)
            errors += NOISE * seeds_part * rng.normal(size=(methods, seeds, 1))
            errors += unit * time_part * _noise(rng, (methods, 1, windows), per_day, halved) if time_part else 0
            errors += unit * both_part * _noise(rng, (methods, seeds, windows), per_day, halved) if both_part else 0
            yield errors

    return draw


def _noise(rng: np.random.Generator, shape: tuple[int, ...], per_day: int, halved: float) -> Floats:
    """Stationary noise of variance 1 along the last axis."""
    from scipy.signal import lfilter

    drawn = rng.normal(size=shape)
    if halved == 0:
        return drawn
    kept = 0.5 ** (24 / (per_day * halved))
    drawn[..., 1:] *= np.sqrt(1 - kept**2)
    faded: Floats = np.asarray(lfilter([1.0], [1.0, -kept], drawn, axis=-1))
    return faded


def resampled(errors: Floats) -> Draws:
    """Equal methods made of disjoint runs of one, ``[R, N]``: a reference and its arms, or a pair where R is too small.

    Arms that shared runs would err alike, and at least one of them would be called better or worse too seldom.
    """

    def draw(seeds: int, draws: int) -> Iterator[Floats]:
        rng, methods = np.random.default_rng(0), ARMS + 1 if len(errors) >= (ARMS + 1) * seeds else 2
        if math.perm(len(errors), methods * seeds) // math.factorial(seeds) ** methods <= MOST_WAYS:
            yield from (errors[np.array(way)] for way in _ways(frozenset(range(len(errors))), methods, seeds))
            return
        for _ in range(draws):
            yield errors[rng.permutation(len(errors))[: methods * seeds].reshape(methods, seeds)]

    return draw


def _ways(runs: frozenset[int], methods: int, seeds: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every way to give so many methods runs of their own."""
    if not methods:
        yield ()
        return
    for first in combinations(sorted(runs), seeds):
        yield from ((first, *others) for others in _ways(runs - {*first}, methods - 1, seeds))


def runs_of(results: Path) -> Iterator[tuple[str, Floats, float]]:
    """By data set, model and settings its errors ``[R, N]`` and the windows of a day, where R runs allow two groups."""
    alike: dict[tuple[str, ...], list[DoneRun]] = {}
    for record in ResultStore(results).records():
        if isinstance(record, DoneRun) and not record.naive:
            spec = record.spec
            alike.setdefault((spec.data.name, spec.data.sha256, spec.model, spec.settings_id, record.code), []).append(
                record
            )
    for (dataset, _, model, *_), records in alike.items():
        if len(records) >= 2 * SIZES[0]:
            errors = np.stack([values_of(record.windows.absolute) for record in records])
            yield f"{model} on {dataset}", errors, records[0].windows.windows_per_day


def main(
    results: Annotated[Path | None, typer.Argument(help="A results folder; without one, runs are simulated.")] = None,
    planted: Annotated[float, typer.Option(help="A difference to be found, in percent.")] = 2.0,
    margin: Annotated[float, typer.Option(min=0.01, help="Of equivalence, in percent.")] = 1.0,
    draws: Annotated[int, typer.Option(min=1, help="Per row.")] = 1000,
) -> None:
    """Print the rates, row by row."""
    typer.echo(
        f"Shares in % of {draws} draws, or of all ways to divide the runs if these are at most {MOST_WAYS}. A/A: equal "
        f"methods are called better or worse, alone and at least once among {ARMS}; or equivalent within {margin:g} %. "
        f"A/B: a difference of {planted:g} % is found, alone and among {ARMS}. —: too few runs for {ARMS + 1} methods "
        "that share none. Smallest: the difference in % that the first comparison says it could have shown, median."
    )
    typer.echo(HEAD)
    rows = 0
    for name, draw, seeds, per_day in _of_folder(results) if results else _simulations():
        row = rates(draw(seeds, draws), per_day, planted=planted, margin=margin)
        shares = (row.single, row.family, row.equivalent, row.found, row.found_of_five)
        typer.echo(_LINE.format(seeds, *map(_percent, shares), f"{row.detectable:.2f}", name))
        rows += 1
    if not rows:
        typer.echo(
            f"no row: {results} has no trained model with {2 * SIZES[0]} finished runs of the same settings, code and "
            f"data, as two groups of {SIZES[0]} seeds need; 'stbench run --seed' adds seeds"
        )


def _percent(share: float) -> str:
    return "—" if math.isnan(share) else f"{100 * share:.1f}"


def _of_folder(results: Path) -> Iterator[tuple[str, Draws, int, float]]:
    for name, errors, per_day in runs_of(results):
        spread = 100 * errors.mean(axis=1).std(ddof=1) / errors.mean()
        for seeds in (size for size in SIZES if 2 * size <= len(errors)):
            yield f"{name}, {len(errors)} runs, spread {spread:.2f} %", resampled(errors), seeds, per_day


def _simulations() -> Iterator[tuple[str, Draws, int, float]]:
    for halved, days, per_day, (source, parts), seeds in product(HALVED, DAYS, PER_DAY, SOURCES.items(), SIZES):
        name = f"{source}, halved in {halved} h, {days} days of {per_day}"
        yield name, simulated(days, per_day, halved, parts), seeds, per_day


if __name__ == "__main__":
    typer.run(main)
