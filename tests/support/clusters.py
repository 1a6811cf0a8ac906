"""Works for executors of several machines, and a driver that notes what it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.catalog.data import Catalog
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.runs.worker import Work

BUDGET = ("train.epochs=3", "train.steps_per_epoch=4", "train.batch_size=8")


def small_plan(catalog: Catalog, *models: str, **choices: Any):
    chosen = {"datasets": ("tiny", "tiny2"), "overrides": BUDGET} | choices
    return plan(load_suite("short_term"), Selection(models=models, **chosen), catalog)


def works(catalog: Catalog, results: Path, *models: str, **choices: Any) -> list[Work]:
    return [
        Work(run=run, catalog=catalog, results=results, checkpoint=results / "checkpoints" / f"{run.run_id}.pt")
        for run in small_plan(catalog, *models, **choices)
    ]


class Told:
    """A follower that notes what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def begun(self, work: Work) -> None:
        self.events.append(("begun", work.run.run_id))

    def row(self, work: Work, row: dict[str, float]) -> None:
        self.events.append(("row", work.run.run_id, row["epoch"]))

    def answered(self, work: Work, answer: Any) -> None:
        self.events.append(("answered", work.run.run_id, answer))

    def died(self, work: Work, reason: str) -> None:
        self.events.append(("died", work.run.run_id, reason))
