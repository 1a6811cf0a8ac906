"""In which order runs begin, and how long all of them take that go side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapreplace

from bench.catalog import registry
from bench.records.planned import PlannedRun
from bench.runs.estimate import Pace, cheapest_first, total_seconds


def in_order(
    runs: Sequence[PlannedRun], paces: Mapping[str, Pace], shapes: Mapping[str, tuple[int, ...]], jobs: int
) -> list[PlannedRun]:
    """One after the other the cheapest first; side by side naive baselines, then the longest first.

    So the first rows are there soon, and no long run begins last and has all others wait for it. Runs without a pace
    are short, or nothing is known of them; they keep their order, at the end.
    """
    if jobs == 1:
        return cheapest_first(runs, paces, shapes)

    def rank(run: PlannedRun) -> tuple[bool, float]:
        seconds = total_seconds([run], paces, shapes) if run.dataset in shapes else 0.0
        return not registry.is_naive(run.model), -seconds

    return sorted(runs, key=rank)


def span(seconds: Iterable[float], jobs: int) -> float:
    """How long runs take if each begins, in this order, as soon as one of so many places is free."""
    free_at = [0.0] * jobs  # a heap
    for length in seconds:
        heapreplace(free_at, free_at[0] + length)
    return max(free_at)
