"""What a plan still lacks: done, stale, failed and missing runs per data set and method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bench.records.glance import FailedGlance, Glance
from bench.records.planned import PlannedRun
from bench.records.record import FailedRun, Record


def plan_status(
    plan: Iterable[PlannedRun], records: Iterable[Record | Glance]
) -> tuple[dict[tuple[str, str], Counter[str]], dict[tuple[str, str], list[str]]]:
    """Compare a plan with the records.

    A run is "stale" when the same spec was answered by other code than today's, else "done", "failed" or "missing".

    Returns:
        By (data set, method), in the plan's order, the number of runs in each state; and the messages of failed runs,
        each once.
    """
    by_id = {record.run_id: record for record in records}
    answered = {record.spec.spec_id for record in by_id.values() if record.status == "done"}
    counts: dict[tuple[str, str], Counter[str]] = {}
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for run in plan:
        key = (run.dataset, run.method)
        record = by_id.get(run.run_id)
        state = record.status if record else "stale" if run.spec_id in answered else "missing"
        counts.setdefault(key, Counter())[state] += 1
        if isinstance(record, FailedRun | FailedGlance):
            reasons.setdefault(key, {})[record.error.message] = None
    return counts, {key: list(messages) for key, messages in reasons.items()}
