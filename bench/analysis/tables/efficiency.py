"""The table ``efficiency``: what every model costs. Runs of different devices never stand together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from bench.analysis.budget import span
from bench.analysis.groups import Group, MethodKey
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.results import Results
from bench.analysis.table import Cell, Flag, Header, Table, TableFile
from bench.analysis.tables._columns import long_rows

COSTS: Mapping[str, str] = {
    "parameters": "parameters",
    "trainable_parameters": "trained",
    "train_s": "training, s",
    "flops": "GFLOPs a window",
    "ms_per_window": "ms a window",
    "peak_mb": "peak memory, MB",
}
UNITS = {"flops": 1e9}
"""What a printed number is divided by; those of the CSV are as they were measured."""
NOTE = (
    "Means over seeds, then over the data sets that a model was run on, whose number stands last; one device. GFLOPs: "
    "billions of floating-point operations to forecast a window, as torch counts them (matrix products, convolutions "
    "and attention; 0: none of these). Parameters: those of a network; a rule and a fit in closed form have a dash."
)
MEASURED = (
    "Seconds are as measured, with validation after each epoch; what else the machine did meanwhile is not known. Peak "
    "memory: allocated by the run on a GPU, on a CPU what its process held beyond the start; a dash where unknown."
)


def make(results: Results) -> TableFile:
    """The table of all suites that do not compare variants or lay published numbers beside."""
    import pandas as pd

    groups = results.groups_by_device()
    return TableFile(
        title="What does each model cost?",
        tables=tuple(_table(group, device) for (_, device), group in groups.items()),
        csv={"": pd.DataFrame([row for (_, device), group in groups.items() for row in _rows(group, device)])},
    )


def _table(group: Group, device: str) -> Table:
    datasets = ", ".join(header.text for header in dataset_headers(group.datasets).values())
    return Table(
        key="cost",
        heading=f"{group.key.title}, on {device or 'an unknown device'}",
        corner="Cost",
        rows=tuple(method_headers(group.methods, group.naive).values()),
        columns=tuple(Header(name=name) for name in (*COSTS.values(), "data sets")),
        cells=tuple(_row(group, method) for method in group.methods),
        notes=(*filter(None, (NOTE, _training_note(group), MEASURED)), f"Data sets: {datasets}."),
        text_flags=("synthetic",) if any(data.synthetic for data in group.datasets) else (),
    )


def _training_note(group: Group) -> str:
    """When training ends, by the recipe of the runs; empty if none of them was trained by one."""
    runs = [run for cell in group.cells.values() for run in cell.runs if run.cost and run.cost.epochs]
    if not runs:
        return ""
    if any(run.spec.train.patience < run.spec.train.epochs for run in runs):
        return "Training ends early where validation no longer improves, so its seconds are no speed."
    return f"Training takes all epochs of its recipe ({span(run.cost.epochs for run in runs if run.cost)})."


def _row(group: Group, method: MethodKey) -> tuple[Cell, ...]:
    summaries = [summary for (_, other), summary in group.cells.items() if other == method]
    costs = {name: fmean(summary.cost(name) for summary in summaries) for name in COSTS}
    none = {name: math.nan for name in ("parameters", "trainable_parameters") if costs["parameters"] == 0}
    texts = [_text(name, value) for name, value in {**costs, **none}.items()]
    flags: tuple[Flag, ...] = ("stale",) if method in group.stale else ()
    return tuple(Cell(value=text, flags=flags) for text in (*texts, str(len(summaries))))


def _text(name: str, value: float) -> str:
    """Three digits, without an exponent; parameters in full; a dash for what is not known or not there."""
    if math.isnan(value):
        return "—"
    value /= UNITS.get(name, 1)
    whole = "parameters" in name or value >= 100 or value == 0
    digits = 0 if whole else max(0, min(6, 2 - math.floor(math.log10(abs(value)))))
    return f"{value:,.{digits}f}"


def _rows(group: Group, device: str) -> list[dict[str, Any]]:
    return [
        facts | {name: summary.cost(name) for name in COSTS} | {"mae": summary.mean("mae"), "seeds": summary.seeds}
        for facts, summary in long_rows(group, device=device)
    ]
