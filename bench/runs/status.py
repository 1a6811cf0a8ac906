"""What a plan still lacks: done, stale, failed and missing runs per data set and line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.runs.spec import PlannedRun


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The runs of one data set and line.

    Attributes:
        counts: Number of runs by state.
        reasons: Messages of the failed runs, each once.
    """

    counts: Mapping[str, int]
    reasons: tuple[str, ...]


def plan_status(plan: Iterable[PlannedRun], records: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Cell]:
    """Compare a plan with the records, by (data set, line), in the plan's order.

    A run is stale when the same spec was answered by other code than today's.
    """
    found = {record["run_id"]: record for record in records}
    answered = {run_id.partition(".")[0] for run_id, record in found.items() if record["status"] == "done"}
    counts: dict[tuple[str, str], Counter[str]] = {}
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for run in plan:
        key = (run.dataset, run.line)
        record = found.get(run.run_id)
        state = record["status"] if record else "stale" if run.spec.spec_id in answered else "missing"
        counts.setdefault(key, Counter())[state] += 1
        if record and state == "failed":
            reasons.setdefault(key, {})[record["error"]["message"]] = None
    return {key: Cell(counts=dict(counter), reasons=tuple(reasons.get(key, {}))) for key, counter in counts.items()}
