"""The table of a suite: scores of every group, what its rows differ in, and published numbers beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from bench.analysis.budget import budget_note
from bench.analysis.channels import by_channel
from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.headers import dataset_headers, method_headers, weights_note
from bench.analysis.inputs import inputs_note, inputs_of
from bench.analysis.results import Results
from bench.analysis.table import MARKS, Cell, Table, TableFile
from bench.analysis.tables._columns import column, method_facts
from bench.analysis.tables._differences import difference_rows, difference_tables
from bench.analysis.tables._published import published_tables
from bench.metrics import METRICS, SHOWN
from bench.runs.suite import Suite

SPLIT = (
    "Where the channels of a data set differ in unit, each has scores of its own; none is pooled over them, and the "
    "data set takes no part in rankings over data sets."
)
WIDEST = 8  # more methods than this run down the page


def make(results: Results, suite: Suite) -> TableFile:
    """One grid a group and shown metric, and all numbers in the CSV.

    Raises:
        StoreError: If window errors that are to be compared are not of the same windows.
    """
    import pandas as pd

    groups, compared = results.groups(suite), results.differences(suite)
    scored = {key: by_channel(group) for key, group in groups.items()}
    tables: list[Table] = []
    for key, group in groups.items():
        tables += _score_tables(scored[key], suite)
        tables += difference_tables(group, compared[key], suite) if key in compared else []
        tables += published_tables(group, suite.published_table) if suite.published_table else []
    csv = {"": pd.DataFrame([row for group in scored.values() for row in _rows(group)])}
    if compared:
        rows = [row for key, differences in compared.items() for row in difference_rows(key, differences)]
        csv["_differences"] = pd.DataFrame(rows)
    return TableFile(title=suite.title, tables=tuple(tables), csv=csv)


def _score_tables(group: Group, suite: Suite) -> list[Table]:
    methods = tuple(method_headers(group.methods, group.naive).values())
    datasets = tuple(dataset_headers(group.datasets).values())
    notes = _notes(group, suite)
    tables = []
    for metric in SHOWN:
        columns = [_column(group, data, metric) for data in group.datasets]
        cells = [tuple(cells.get(method, Cell(flags=("missing",))) for method in group.methods) for cells in columns]
        across = Table(
            key=metric,
            heading=group.key.title,
            corner=METRICS[metric].label,
            rows=datasets,
            columns=methods,
            cells=tuple(cells),
            notes=notes,
        )
        down = replace(across, rows=methods, columns=datasets, cells=tuple(zip(*cells, strict=True)))
        tables.append(down if suite.methods or len(methods) > WIDEST else across)
    return tables


def _notes(group: Group, suite: Suite) -> tuple[str, ...]:
    seeds = _most_seeds(group)
    spread = f"Mean ± sample standard deviation over {seeds} seeds, (n=k) where there are fewer."
    ranks = "Best in bold, second underlined, ties at the printed precision neither."
    if group.key.quick:
        ranks = (
            "Quick profile: the budgets are small, so the ranks mean nothing and none is marked; use `--profile paper`."
        )
    names = {method.name for method in group.methods}
    budget = budget_note(group)
    weights = weights_note(group.methods)
    absent = "; ".join(variant.name for variant in suite.variants if variant.name not in names)
    return (
        spread if seeds >= 2 else "One seed." if seeds else "No run is done.",
        "Naive baselines in italics; they are not trained.",
        ranks,
        *([group.key.caveat] if group.key.caveat else []),
        *([budget] if budget else []),
        *([f"Not run: {absent}."] if absent else []),
        *([weights] if weights else []),
        *([threads] if (threads := _threads_note(group)) else []),
        *([SPLIT] if any(data.channel for data in group.datasets) else []),
        *([read] if (read := inputs_note(group)) else []),
    )


def _threads_note(group: Group) -> str:
    """Where not all runs had as many threads: sums of floats are made in another order by each number of them."""
    runs = [run for cell in group.cells.values() for run in cell.runs]
    known = {number for run in runs if (number := run.environment.threads) is not None}
    if len(known) < 2:
        return ""
    return f"The runs had {' or '.join(map(str, sorted(known)))} threads, on which scores depend a little."


def _most_seeds(group: Group) -> int:
    return max(summary.seeds for summary in group.cells.values())


def _column(group: Group, data: DataKey, metric: str) -> Mapping[MethodKey, Cell]:
    summaries = group.of(data)
    cells = column(
        summaries,
        {method: summary.mean(metric) for method, summary in summaries.items()},
        unranked=group.key.quick,
        loss=METRICS[metric].loss,
        behind=partial(_spread, metric=metric, seeds=_most_seeds(group)),
    )
    return {method: replace(cell, flags=summaries[method].flags_of(metric)) for method, cell in cells.items()}


def _spread(summary: Summary, digits: int, *, metric: str, seeds: int) -> str:
    """Deviation and number of seeds; nothing for a naive baseline, which is not trained."""
    if summary.naive:
        return ""
    deviation = f" ± {summary.std(metric):.{digits}f}" if summary.seeds >= 2 else ""
    return deviation + (f" (n={summary.seeds})" if summary.seeds < seeds else "")


def _rows(group: Group) -> list[dict[str, Any]]:
    datasets, methods = dataset_headers(group.datasets), method_headers(group.methods)
    rows = []
    for (data, method), summary in group.cells.items():
        cell = {"dataset": data.dataset, "channel": data.channel, **method_facts(method), **asdict(group.key)}
        known = {"synthetic": data.synthetic, "version": data.version, "sha256": data.sha256}
        known |= {"inputs": inputs_of([summary])}
        for metric in METRICS:
            numbers = {"mean": summary.mean(metric), "std": summary.std(metric), "n": summary.seeds}
            flags = {*datasets[data].flags, *methods[method].flags, *summary.flags_of(metric)}
            marks = ";".join(flag for flag in MARKS if flag in flags)
            rows.append(cell | {"metric": metric} | numbers | known | {"flags": marks})
    return rows
