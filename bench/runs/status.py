"""What has become of a plan: how many runs are done, stale, failed, under way or to do, per data set and method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from bench.records.glance import FailedGlance, Glance
from bench.records.planned import PlannedRun
from bench.records.record import FailedRun, Record
from bench.records.spec import Spec

MOST_NAMED: Final = 5  # settings
MOST_COMPARED: Final = 100  # runs
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def plan_status(
    plan: Iterable[PlannedRun], records: Iterable[Record | Glance], under_way: Mapping[str, str] = NOTHING
) -> tuple[dict[tuple[str, str], Counter[str]], dict[tuple[str, str], list[str]]]:
    """Compare a plan with the records.

    A run is "stale" when the same spec was answered by other code than today's. One without a record of its own is what
    ``under_way`` says by its id, such as "queued", else "to do".

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
        waiting = "stale" if run.spec_id in answered else "to do"
        state = record.status if record else under_way.get(run.run_id, waiting)
        counts.setdefault(key, Counter())[state] += 1
        if isinstance(record, FailedRun | FailedGlance):
            reasons.setdefault(key, {})[record.error.message] = None
    return counts, {key: list(messages) for key, messages in reasons.items()}


def other_settings(plan: Sequence[PlannedRun], records: Iterable[Record | Glance]) -> tuple[int, list[str]]:
    """Finished runs of a plan's data sets and models that are not the plan's.

    Returns:
        Their number, and the names of some settings in which they differ from the planned run that is nearest.
    """
    planned: dict[tuple[str, str], dict[str, Spec]] = {}
    for run in plan:
        planned.setdefault((run.dataset, run.model), {})[run.spec_id] = run.spec
    others = [
        record
        for record in records
        if record.status == "done"
        and (ours := planned.get((record.dataset, record.model)))
        and record.spec.spec_id not in ours
    ]
    flat = {key: [_flat(spec) for spec in specs.values()] for key, specs in planned.items()} if others else {}
    names: Counter[str] = Counter()
    for record in others[:MOST_COMPARED]:
        theirs = _flat(record.spec)
        differing = [_differing(theirs, ours) for ours in flat[record.dataset, record.model]]
        nearest = min(differing, key=len)
        names.update(nearest)
    return len(others), [name for name, _ in names.most_common(MOST_NAMED)]


def _flat(spec: Spec) -> dict[str, Any]:
    """Settings by the names that ``--set`` has for them."""
    values: dict[str, Any] = {}
    for part, value in msgspec.to_builtins(spec).items():
        name = "model" if part == "config" else part
        values.update(
            {f"{name}.{key}": inner for key, inner in value.items()} if isinstance(value, dict) else {name: value}
        )
    return values


def _differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name for name in {**one, **other} if one.get(name) != other.get(name)]
