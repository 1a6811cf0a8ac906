"""The table ``per_horizon``: the error at every step of the forecast, by data set and model."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

from bench.analysis.choice import AS_IT_IS, Choice
from bench.analysis.groups import DataKey, Group, spread
from bench.analysis.headers import dataset_headers, method_headers, shown_part
from bench.analysis.inputs import inputs_note
from bench.analysis.measures import MEASURES, SCALED
from bench.analysis.results import Results
from bench.analysis.table import Header, Table, TableFile
from bench.analysis.tables._columns import column, long_rows
from bench.analysis.units import measured, steps_note, unit_of
from bench.errors import ConfigError

MOST = 8  # steps side by side; of longer horizons the powers of two


def make(results: Results, choice: Choice = AS_IT_IS) -> TableFile:
    """MAE, or the metrics chosen, of all suites that do not compare variants or lay published numbers beside."""
    import pandas as pd

    groups, metrics = results.pooled_groups(), choice.metrics or ("mae",)
    if choice.beside:
        raise ConfigError(
            "the table per_horizon has a grid for each metric, not side by side; a suite's table has them so"
        )
    if SCALED in metrics:
        raise ConfigError(f"the table per_horizon has the metrics of each step, not {SCALED}; a suite's table has it")
    return TableFile(
        title="How does the error grow with the step of the forecast?",
        tables=tuple(
            _table(group, data, header, metric)
            for group in groups
            for data, header in dataset_headers(group.datasets).items()
            for metric in metrics
        ),
        csv={"": pd.DataFrame([row for group in groups for row in _rows(group)])},
    )


def shown_steps(horizon: int) -> list[int]:
    """Which steps stand in the table, counted from 1."""
    if horizon <= MOST:
        return list(range(1, horizon + 1))
    return [*(2**power for power in range(horizon.bit_length()) if 2**power < horizon), horizon]


def _table(group: Group, data: DataKey, header: Header, metric: str) -> Table:
    summaries, methods = group.of(data), group.on([data]).methods
    curves = {method: curve for method, summary in summaries.items() if (curve := summary.mean_curve_of(metric))}
    notes = partial(_notes, group.on([data]), MEASURES[metric].label)
    steps = shown_steps(min(map(len, curves.values())))
    columns = [
        column(
            summaries,
            {method: curve[step - 1] for method, curve in curves.items()},
            unranked=group.key.quick,
            loss=MEASURES[metric].loss,
        )
        for step in steps
    ]
    return Table(
        key=metric,
        heading=f"{header.text}: {group.key.title}",
        corner=measured(MEASURES[metric].label, unit_of(summaries.values()) if MEASURES[metric].unit else ""),
        rows=tuple(method_headers(methods, group.naive).values()),
        columns=tuple(Header(name=f"step {step}") for step in steps),
        cells=tuple(tuple(cells[method] for cells in columns) for method in methods),
        notes=notes(frozenset()),
        notes_without=notes,
        text_flags=header.flags,
    )


def _notes(group: Group, label: str, hidden: frozenset[str]) -> tuple[str, ...]:
    shown = shown_part(group, hidden)
    naive = " Naive baselines in italics." if shown.naive else ""
    notes = f"{label} at each step alone, means over seeds.{naive}", steps_note(shown), inputs_note(shown)
    return tuple(filter(None, notes))


def _rows(group: Group) -> list[dict[str, Any]]:
    return [
        facts | {"step": step, "mean": statistics.fmean(values), "std": spread(values), "n": len(values)}
        for facts, summary in long_rows(group)
        for step, values in enumerate(zip(*summary.curves, strict=True), start=1)
    ]
