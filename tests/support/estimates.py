"""A plan whose runs are short, and shapes of data, for tests of how long runs will take."""

from __future__ import annotations

from typing import Any, Final

from bench.catalog.data import Catalog
from bench.records.planned import PlannedRun
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite

BUDGET: Final = ("task.scored=0", "train.epochs=3", "train.steps_per_epoch=5", "train.batch_size=8")


def plan_of(
    catalog: Catalog,
    *models: str,
    datasets: tuple[str, ...] = ("tiny", "tiny2"),
    overrides: tuple[str, ...] = BUDGET,
    **choices: Any,
) -> list[PlannedRun]:
    """The runs of these models on these data sets."""
    selection = Selection(models=models, datasets=datasets, overrides=overrides, **choices)
    return plan(load_suite("short_term"), selection, catalog)


def shape(slots: int, cells: int) -> tuple[int, int, int, int]:
    """Of an array of two channels."""
    return (slots, 2, 1, cells)
