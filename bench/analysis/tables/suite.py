"""The table of a suite: scores of every group, what its rows differ in, and published numbers beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from bench.analysis.channels import by_channel
from bench.analysis.choice import AS_IT_IS, Choice
from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.inputs import inputs_of
from bench.analysis.measures import MEASURES, SCALED
from bench.analysis.results import Results
from bench.analysis.suite_groups import title_of_groups
from bench.analysis.table import MARKS, Cell, Flag, NotesOf, Table, TableFile
from bench.analysis.tables._cells_in_use import in_use_rows, in_use_table, without_idle_cells
from bench.analysis.tables._columns import column, method_facts, seeds_text
from bench.analysis.tables._differences import difference_rows, difference_tables
from bench.analysis.tables._notes import most_seeds, score_notes
from bench.analysis.tables._other_measures import other_measures
from bench.analysis.tables._published import published_tables
from bench.analysis.units import measured, units_of
from bench.runs.suite import Suite

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
    in_use: list[dict[str, Any]] = []
    for key, group in groups.items():
        tables += _score_tables(scored[key], suite, choice)
        if key in compared:
            tables += difference_tables(group, compared[key], suite)
            tables += other_measures(group, compared[key], suite)
            if known := without_idle_cells(group, compared[key], suite):
                tables.append(in_use_table(known, suite))
                in_use += in_use_rows(key, known)
        tables += published_tables(group, suite, suite.published_table) if suite.published_table else []
    csv = {"": pd.DataFrame([row for group in scored.values() for row in _rows(group)])}
    if compared:
        rows = [row for key, differences in compared.items() for row in difference_rows(key, differences)]
        csv["_differences"] = pd.DataFrame(rows)
    if in_use:
        csv["_in_use"] = pd.DataFrame(in_use)
    return TableFile(title=title_of_groups(suite, groups), tables=tuple(tables), csv=csv)


def _score_tables(group: Group, suite: Suite, choice: Choice) -> list[Table]:
    notes = partial(score_notes, group, suite, choice.shown)
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


def _grid(group: Group, metric: str, cells: Mapping[DataKey, tuple[Cell, ...]], notes: NotesOf, *, down: bool) -> Table:
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
        notes=notes(frozenset()),
        notes_without=notes,
    )


def _beside(group: Group, columns: Mapping[str, Mapping[DataKey, tuple[Cell, ...]]], notes: NotesOf) -> Table:
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
        notes=notes(frozenset()),
        notes_without=notes,
    )


def _column(group: Group, data: DataKey, metric: str) -> Mapping[MethodKey, Cell]:
    summaries = group.of(data)
    cells = column(
        summaries,
        {method: summary.mean(metric) for method, summary in summaries.items()},
        unranked=group.key.quick,
        loss=MEASURES[metric].loss,
        least=MEASURES[metric].decimals,
        behind=partial(seeds_text, metric=metric, seeds=most_seeds(group)),
    )
    return {method: replace(cell, flags=_flags(summaries[method], metric)) for method, cell in cells.items()}


def _flags(summary: Summary, metric: str) -> tuple[Flag, ...]:
    """Of a number; a scaled MAE is worse than that of the best naive baseline where the MAE is."""
    return summary.flags_of("mae" if metric == SCALED else metric)


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
