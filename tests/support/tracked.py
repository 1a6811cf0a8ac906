"""Runs that are followed into MLflow as the runner does it, for tests of the tracking."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from bench.records.record import DoneRun, Record
from bench.records.spec import Label, Spec
from bench.records.tracking import Tracker
from bench.records.tracking_process import TrackerBeside

CONTROLS = (("identity", 1.1), ("attention", 1.2))


@dataclass(frozen=True)
class Plan:
    run_id: str
    spec: Spec
    label: Label


def plan_of(made: Record) -> Plan:
    return Plan(run_id=made.run_id, spec=made.spec, label=made.label)


def follow(tracker: Tracker | TrackerBeside, made: Record) -> None:
    tracker.run_started(plan_of(made))
    for row in made.curve if isinstance(made, DoneRun) else ():
        tracker.epoch(plan_of(made), {name: float(value) for name, value in msgspec.to_builtins(row).items()})
    tracker.run_finished(plan_of(made), made)
