"""The table ``per_horizon``: the error at every step of the forecast, by data set and model."""

from __future__ import annotations

import statistics
from typing import Any

from bench.analysis.groups import DataKey, Group, spread
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.inputs import inputs_note
from bench.analysis.results import Results
from bench.analysis.table import Header, Table, TableFile
from bench.analysis.tables._columns import column, long_rows
from bench.metrics import METRICS

MOST = 8  # steps side by side; of longer horizons the powers of two


def make(results: Results) -> TableFile:
    """The table of all suites that do not compare variants or lay published numbers beside."""
    import pandas as pd

    groups = results.pooled_groups()
    return TableFile(
        title="How does the error grow with the step of the forecast?",
        tables=tuple(
            _table(group, data, header) for group in groups for data, header in dataset_headers(group.datasets).items()
        ),
        csv={"": pd.DataFrame([row for group in groups for row in _rows(group)])},
    )


def shown_steps(horizon: int) -> list[int]:
    """Which steps stand in the table, counted from 1."""
    if horizon <= MOST:
        return list(range(1, horizon + 1))
    return [*(2**power for power in range(horizon.bit_length()) if 2**power < horizon), horizon]


def _table(group: Group, data: DataKey, header: Header) -> Table:
    summaries, methods = group.of(data), group.on([data]).methods
    curves = {method: summary.mean_curve for method, summary in summaries.items()}
    steps = shown_steps(min(map(len, curves.values())))
    columns = [
        column(summaries, {method: curve[step - 1] for method, curve in curves.items()}, unranked=group.key.quick)
        for step in steps
    ]
    return Table(
        key="mae",
        heading=f"{header.text}: {group.key.title}",
        corner=METRICS["mae"].label,
        rows=tuple(method_headers(methods, group.naive).values()),
        columns=tuple(Header(name=f"step {step}") for step in steps),
        cells=tuple(tuple(cells[method] for cells in columns) for method in methods),
        notes=(
            "MAE at each step alone, means over seeds. Naive baselines in italics.",
            *([read] if (read := inputs_note(group.on([data]))) else []),
        ),
        text_flags=header.flags,
    )


def _rows(group: Group) -> list[dict[str, Any]]:
    return [
        facts | {"step": step, "mean": statistics.fmean(values), "std": spread(values), "n": len(values)}
        for facts, summary in long_rows(group)
        for step, values in enumerate(zip(*summary.curves, strict=True), start=1)
    ]
