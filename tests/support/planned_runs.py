"""Records of planned runs, for tests of what becomes of a plan."""

from __future__ import annotations

import msgspec

from bench.records.environment import Environment
from bench.records.planned import PlannedRun
from bench.records.record import SCHEMA, FailedRun, Failure


def failed(run: PlannedRun, *, tuned: bool) -> FailedRun:
    """A record of a planned run, such as a suite's table is made of."""
    return FailedRun(
        schema=SCHEMA,
        run_id=run.run_id,
        code=run.code,
        role="model",
        spec=msgspec.structs.replace(run.spec, tuned=tuned),
        label=run.label,
        environment=Environment(libraries={}),
        error=Failure(type="TrainingError", message="the loss is NaN"),
    )
