"""The table of a suite: scores of every group, what its rows differ in, and published numbers beside ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from bench.analysis.budget import budget_note
from bench.analysis.channels import by_channel
from bench.analysis.choice import AS_IT_IS, Choice
from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.headers import dataset_headers, method_headers, weights_note
from bench.analysis.inputs import inputs_note, inputs_of
from bench.analysis.measures import MEASURES, SCALED
from bench.analysis.results import Results
from bench.analysis.sources import sources_note, untransferable_note
from bench.analysis.suite_groups import not_run
from bench.analysis.table import MARKS, Cell, Flag, Table, TableFile
from bench.analysis.tables._columns import column, method_facts
from bench.analysis.tables._differences import difference_rows, difference_tables
from bench.analysis.tables._published import published_tables
from bench.analysis.units import measured, steps_note, units_note, units_of
from bench.runs.suite import Suite

SPLIT = (
    "Where the channels of a data set differ in unit, each has scores of its own; none is pooled over them, and the "
    "data set takes no part in rankings over data sets."
)
WIDEST = 8  # more methods than this run down the page


def make(results: Results, suite: Suite, choice: Choice = AS_IT_IS) -> TableFile:
    """One grid a group and shown metric, or one a group for all of these, and all numbers in the CSV.

    Raises:
        StoreError: If window errors that are to be compared are not of the same windows.
    """
    import pandas as pd

    groups, compared = results.groups(suite), results.differences(suite)
    scored = {key: by_channel(group) for key, group in groups.items()}
    tables: list[Table] = []
    for key, group in groups.items():
        tables += _score_tables(scored[key], suite, choice)
        tables += difference_tables(group, compared[key], suite) if key in compared else []
        tables += published_tables(group, suite.published_table) if suite.published_table else []
    csv = {"": pd.DataFrame([row for group in scored.values() for row in _rows(group)])}
    if compared:
        rows = [row for key, differences in compared.items() for row in difference_rows(key, differences)]
        csv["_differences"] = pd.DataFrame(rows)
    return TableFile(title=suite.title, tables=tuple(tables), csv=csv)


def _score_tables(group: Group, suite: Suite, choice: Choice) -> list[Table]:
    notes = _notes(group, suite, choice.shown)
    columns = {metric: _columns(group, metric) for metric in choice.shown}
    if choice.beside:
        return [_beside(group, columns, notes)]
    down = bool(suite.methods) or len(group.methods) > WIDEST
    return [_grid(group, metric, cells, notes, down=down) for metric, cells in columns.items()]


def _columns(group: Group, metric: str) -> dict[DataKey, tuple[Cell, ...]]:
    """The cells of each data set, in the order of the methods."""
    known = {data: _column(group, data, metric) for data in group.datasets}
    absent = Cell(flags=("missing",))
    return {data: tuple(cells.get(method, absent) for method in group.methods) for data, cells in known.items()}


def _grid(
    group: Group, metric: str, cells: Mapping[DataKey, tuple[Cell, ...]], notes: tuple[str, ...], *, down: bool
) -> Table:
    """One metric; methods run down the page, or across."""
    units, measure = set(units_of(group).values()), MEASURES[metric]
    methods = tuple(method_headers(group.methods, group.naive).values())
    datasets = tuple(dataset_headers(group.datasets).values())
    across = tuple(cells.values())
    return Table(
        key=metric,
        heading=group.key.title,
        corner=measured(measure.label, units.pop() if len(units) == 1 and measure.unit else ""),
        rows=methods if down else datasets,
        columns=datasets if down else methods,
        cells=tuple(zip(*across, strict=True)) if down else across,
        notes=notes,
    )


def _beside(group: Group, columns: Mapping[str, Mapping[DataKey, tuple[Cell, ...]]], notes: tuple[str, ...]) -> Table:
    """All metrics side by side below each data set; methods run down the page."""
    known = dataset_headers(group.datasets)
    headers = [
        replace(known[data], name=MEASURES[metric].label, over=known[data].name)
        for data in group.datasets
        for metric in columns
    ]
    first, *others = (MEASURES[metric].label for metric in columns)
    labels = [first, *(label.replace("Scaled", "scaled") for label in others)]
    cells = [columns[metric][data] for data in group.datasets for metric in columns]
    return Table(
        key="-".join(columns),
        heading=group.key.title,
        corner=f"{', '.join(labels[:-1])} and {labels[-1]}" if len(labels) > 1 else labels[0],
        rows=tuple(method_headers(group.methods, group.naive).values()),
        columns=tuple(headers),
        cells=tuple(zip(*cells, strict=True)),
        notes=notes,
    )


def _notes(group: Group, suite: Suite, metrics: Sequence[str]) -> tuple[str, ...]:
    seeds = _most_seeds(group)
    spread = f"Mean ± sample standard deviation over {seeds} seeds, (n=k) where there are fewer."
    ranks = "Best in bold, second underlined, ties at the printed precision neither."
    if group.key.quick:
        ranks = (
            "Quick profile: the budgets are small, so the ranks mean nothing and none is marked; use `--profile paper`."
        )
    budget = budget_note(group)
    weights = weights_note(group.methods)
    absent = not_run(group, suite)
    return (
        spread if seeds >= 2 else "One seed." if seeds else "No run is done.",
        "Naive baselines in italics; they are not trained.",
        ranks,
        *_measures_notes(group, metrics),
        *([group.caveat] if group.caveat else []),
        *([budget] if budget else []),
        *([f"Not run: {absent}."] if absent else []),
        *(note for note in (sources_note(group), untransferable_note(group)) if note),
        *([weights] if weights else []),
        *([threads] if (threads := _threads_note(group)) else []),
        *([SPLIT] if any(data.channel for data in group.datasets) else []),
        *([read] if (read := inputs_note(group)) else []),
    )


def _measures_notes(group: Group, metrics: Sequence[str]) -> list[str]:
    """Units of errors, lengths of steps, and by what a scaled error is divided."""
    labels = [MEASURES[metric].label for metric in metrics if MEASURES[metric].unit]
    notes = [units_note(group, labels) if labels else "", steps_note(group), _scale_note(group, metrics)]
    return [note for note in notes if note]


def _scale_note(group: Group, metrics: Sequence[str]) -> str:
    if SCALED not in metrics:
        return ""
    methods, datasets = method_headers(group.methods), dataset_headers(group.datasets)
    scales = []
    for data in group.datasets:
        naive = {method: cell.mean("mae") for method, cell in group.of(data).items() if cell.naive}
        known = {method: mean for method, mean in naive.items() if math.isfinite(mean)}
        best = min(known, key=lambda method: (known[method], method), default=None)
        scales += [f"{datasets[data].name}: {methods[best].name}"] if best else []
    least = f" ({'; '.join(scales)})" if scales else ": none was run"
    return f"Scaled MAE: MAE divided by that of the best naive baseline on the same test windows{least}."


def _threads_note(group: Group) -> str:
    """Where not all runs had as many threads: sums of floats are made in another order by each number of them."""
    runs = [run for cell in group.cells.values() for run in cell.runs]
    known = {number for run in runs if (number := run.environment.threads) is not None}
    if len(known) < 2:
        return ""
    return f"The runs had {' or '.join(map(str, sorted(known)))} threads, on which scores depend a little."


def _most_seeds(group: Group) -> int:
    """Of what is trained, where anything is: a naive baseline may stand here with the seeds of another profile."""
    cells = group.cells.values()
    trained = max((cell.seeds for cell in cells if not cell.naive), default=0)
    return trained or max(cell.seeds for cell in cells)


def _column(group: Group, data: DataKey, metric: str) -> Mapping[MethodKey, Cell]:
    summaries = group.of(data)
    cells = column(
        summaries,
        {method: summary.mean(metric) for method, summary in summaries.items()},
        unranked=group.key.quick,
        loss=MEASURES[metric].loss,
        least=MEASURES[metric].decimals,
        behind=partial(_spread, metric=metric, seeds=_most_seeds(group)),
    )
    return {method: replace(cell, flags=_flags(summaries[method], metric)) for method, cell in cells.items()}


def _flags(summary: Summary, metric: str) -> tuple[Flag, ...]:
    """Of a number; a scaled MAE is worse than that of the best naive baseline where the MAE is."""
    return summary.flags_of("mae" if metric == SCALED else metric)


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
        for metric in MEASURES:
            numbers = {"mean": summary.mean(metric), "std": summary.std(metric), "n": summary.seeds}
            flags = {*datasets[data].flags, *methods[method].flags, *_flags(summary, metric)}
            marks = ";".join(flag for flag in MARKS if flag in flags)
            rows.append(cell | {"metric": metric} | numbers | known | {"flags": marks})
    return rows
