"""Runs that are followed into MLflow as the runner does it, for tests of the tracking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.records.tracking import Tracker

CONTROLS = (("identity", 1.1), ("attention", 1.2))


@dataclass(frozen=True)
class Spec:
    facts: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return dict(self.facts)


@dataclass(frozen=True)
class Plan:
    run_id: str
    spec: Spec
    label: Mapping[str, Any]


def plan_of(made: Mapping[str, Any]) -> Plan:
    return Plan(run_id=made["run_id"], spec=Spec(made["spec"]), label=made["label"])


def follow(tracker: Tracker, made: dict[str, Any]) -> None:
    tracker.run_started(plan_of(made))
    for row in made["curve"]:
        tracker.epoch(plan_of(made), row)
    tracker.run_finished(plan_of(made), made)
