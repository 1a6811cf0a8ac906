"""Which runs are tried to see how fast such runs are on this machine; each trial (``bench.runs.trial``) elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from bench.catalog.data import Catalog
from bench.records.planned import PlannedRun
from bench.runs.ends import RaisedError
from bench.runs.estimate import Pace, pace_key
from bench.runs.execution import failure_of
from bench.runs.isolation import call


def paces_with_trials(
    runs: Iterable[PlannedRun],
    paces: Mapping[str, Pace],
    catalog: Catalog,
    device: str,
    on_trial: Callable[[PlannedRun], None],
    *,
    threads: int | None = None,
    limit: float | None = None,
    isolated: bool = True,
) -> tuple[dict[str, Pace], dict[str, str]]:
    """Try each run for a few steps; ``paces`` with what this found, and by method why it could not be tried.

    Nothing is stored, no weights are fetched, no test window is read, and random numbers go on as if nothing had been.
    Each trial has a process of its own, with so many threads and at most ``limit`` seconds, if they are ``isolated``.
    """
    measured, failures = dict(paces), {}
    for run in runs:
        on_trial(run)
        try:
            work = (run, catalog, device)
            pace = call(_pace_of, *work, threads=threads, limit=limit, name=run.title) if isolated else _pace_of(*work)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a model does, the run itself will say so, too
            failure = error.failure if isinstance(error, RaisedError) else failure_of(error)
            failures[run.method] = failure.message
        else:
            known = measured.get(pace_key(run.spec), pace)
            measured[pace_key(run.spec)] = replace(pace, seconds={**known.seconds, **pace.seconds})
    return measured, failures


def _pace_of(run: PlannedRun, catalog: Catalog, device: str) -> Pace:
    """In the process of a trial, which alone imports torch."""
    from bench.context import resolve_device
    from bench.runs.trial import trial_pace

    return trial_pace(run, catalog, resolve_device(device))
