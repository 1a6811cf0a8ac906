"""Which runs are tried to see how fast such runs are on this machine; each trial (``bench.runs.trial``) elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from bench.catalog.data import Catalog
from bench.errors import TimeLimitError
from bench.records.planned import PlannedRun
from bench.records.record import Failure
from bench.runs.ends import RaisedError
from bench.runs.estimate import Pace, pace_key
from bench.runs.execution import failure_of
from bench.runs.isolation import call

NO_TIME = "all trials together have two minutes, which were over"


def paces_with_trials(
    runs: Iterable[PlannedRun],
    paces: Mapping[str, Pace],
    catalog: Catalog,
    device: str,
    on_trial: Callable[[PlannedRun], None],
    *,
    threads: int | None = None,
    limit: float | None = None,
    budget: float | None = None,
    isolated: bool = True,
) -> tuple[dict[str, Pace], dict[str, str]]:
    """Try each run for a few steps; ``paces`` with what this found, and by method why it could not be tried.

    Nothing is stored, no weights are fetched, no test window is read, and random numbers go on as if nothing had been.
    Each trial has a process of its own, with so many threads and at most ``limit`` seconds, if they are ``isolated``;
    all of them have ``budget`` seconds, after which the rest is not tried.
    """
    measured, failures = dict(paces), dict[str, str]()
    ends = None if budget is None else time.monotonic() + budget
    for run in runs:
        left = None if ends is None else ends - time.monotonic()
        if left is not None and left <= 0:
            failures |= {} if pace_key(run.spec) in measured else {run.method: NO_TIME}
            continue
        on_trial(run)
        try:
            work, seconds = (run, catalog, device), _smaller(limit, left)
            pace = (
                call(_pace_of, *work, threads=threads, limit=seconds, name=run.title) if isolated else _pace_of(*work)
            )
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model does, the run itself will say so, too
            failure = error.failure if isinstance(error, RaisedError) else failure_of(error)
            failures[run.method] = NO_TIME if _budget_ended(failure, limit, left) else failure.message
        else:
            known = measured.get(pace_key(run.spec), pace)
            measured[pace_key(run.spec)] = replace(pace, seconds={**known.seconds, **pace.seconds})
    return measured, failures


def _smaller(limit: float | None, left: float | None) -> float | None:
    return min((seconds for seconds in (limit, left) if seconds is not None), default=None)


def _budget_ended(failure: Failure, limit: float | None, left: float | None) -> bool:
    """Whether a trial was ended since all of them had no time left, and not since it took longer than a run may."""
    return failure.type == TimeLimitError.__name__ and left is not None and (limit is None or left < limit)


def _pace_of(run: PlannedRun, catalog: Catalog, device: str) -> Pace:
    """In the process of a trial, which alone imports torch."""
    from bench.context import resolve_device
    from bench.runs.trial import trial_pace

    return trial_pace(run, catalog, resolve_device(device))
