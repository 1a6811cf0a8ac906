"""Which runs of a results folder are queued or being made, by processes and by jobs of Slurm."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from bench.files import is_locked
from bench.runs.executors.slurm_queue import FOLDERS, Queue, Wishes


def under_way(results: Path) -> dict[str, Literal["running", "queued"]]:
    """By the ids of runs; a run whose lock is held is made, and of jobs counts what Slurm says, if it answers."""
    states: dict[str, Literal["running", "queued"]] = {}
    for local, folder in FOLDERS.items():
        jobs = Queue(results, Wishes(local=local)).look() if (results / folder).is_dir() else None
        for run_id, seen in (jobs or {}).items():
            if not seen.over:
                states[run_id] = "queued" if seen.state == "PENDING" else "running"
    for lock in (results / "locks").glob("*.lock"):
        with suppress(OSError):  # of another user
            if is_locked(lock):
                states[lock.stem] = "running"
    return states
