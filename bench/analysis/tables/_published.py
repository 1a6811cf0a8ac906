"""The part of a suite's table that lays our numbers beside those that others printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from bench.analysis.groups import DataKey, Group, Summary
from bench.analysis.headers import dataset_headers, decimals, shown_part, told_apart
from bench.analysis.inputs import inputs_note
from bench.analysis.suite_groups import comparable_data, not_run_note
from bench.analysis.table import Cell, Header, NotesOf, Table
from bench.analysis.tables._columns import seeds_text
from bench.analysis.tables._differences import signed
from bench.analysis.tables._notes import most_seeds, seeds_note
from bench.catalog.titles import model_title
from bench.metrics import METRICS, SHOWN
from bench.runs.published import Published
from bench.runs.suite import Suite


def published_tables(group: Group, suite: Suite, published: Published) -> list[Table]:
    """Ours and theirs, row by row, then ours that they do not have, one grid a metric that is shown and was printed."""
    notes = partial(_notes, group, suite, published)
    return [_table(group, published, metric, notes) for metric in SHOWN if hasattr(published, metric)]


def _table(group: Group, published: Published, metric: str, notes: NotesOf) -> Table:
    columns, seeds = _columns(group, published), most_seeds(group)
    rows: dict[str, list[Cell]] = {}
    titles = told_apart({key.name: key.title for key in group.methods})
    for name in published.mae:
        title = titles.get(name) or model_title(name)
        theirs = [published.value(metric, name, data.dataset) for data in columns]
        if any(ours := _ours(group, columns, name)):
            rows[title] = [_cell(summary, metric, value, seeds) for summary, value in zip(ours, theirs, strict=True)]
        called = published.names.get(name, title)
        rows[f"{called}, published"] = [Cell(value=f"{value:.{decimals(value)}f}") for value in theirs]
    for key in group.methods:
        if key.name not in published.mae and any(ours := _ours(group, columns, key.name)):
            rows[titles[key.name]] = [_cell(summary, metric, None, seeds) for summary in ours]
    return Table(
        key=metric,
        heading=f"Beside published numbers. {group.key.title}",
        corner=METRICS[metric].label,
        rows=tuple(Header(name=name) for name in rows),
        columns=tuple(dataset_headers(columns).values()),
        cells=tuple(map(tuple, rows.values())),
        notes=notes(frozenset()),
        notes_without=notes,
    )


def _notes(group: Group, suite: Suite, published: Published, hidden: frozenset[str]) -> tuple[str, ...]:
    datasets = {name for header in dataset_headers(group.datasets).values() for name in (header.name, header.plain)}
    shown = shown_part(group, hidden - datasets)  # of one of which a channel alone may be left
    whole = len(shown.methods) == len(group.methods)
    notes = (
        f"Published: {published.source}.",
        "In brackets: how much more ours is than published, in percent, where they have the model.",
        seeds_note(group),
        published.caveat,
        not_run_note(group, suite) if whole else "",
        inputs_note(shown),
    )
    return tuple(filter(None, notes))


def _columns(group: Group, published: Published) -> dict[DataKey, int | None]:
    """Data sets, and the channel that is meant; each, too, where theirs is one and does not say which."""
    columns: dict[DataKey, int | None] = {}
    for data in comparable_data(group, published):
        columns[data] = None
        if data.dataset in published.one_channel:
            runs = (run for summary in group.of(data).values() for run in summary.runs)
            channels = next((run.channels for run in runs if len(run.channels) > 1), [])
            columns |= {replace(data, channel=channel.name): number for number, channel in enumerate(channels)}
    return columns


def _ours(group: Group, columns: Mapping[DataKey, int | None], name: str) -> list[Summary | None]:
    """Our runs under a name, unless they are told apart by their settings."""
    found: list[Summary | None] = []
    for data, channel in columns.items():
        methods = group.of(replace(data, channel="")).items()
        ours = [summary for key, summary in methods if key.name == name and not (key.settings or key.external)]
        found.append(replace(ours[-1], channel=channel) if ours else None)
    return found


def _cell(summary: Summary | None, metric: str, published: float | None, seeds: int) -> Cell:
    if summary is None:
        return Cell(flags=("missing",))
    mean = summary.mean(metric)
    if not math.isfinite(mean):
        return Cell(flags=summary.flags)
    digits = decimals(mean)
    gap = "" if published is None else f" ({signed(100 * (mean / published - 1))})"
    text = f"{mean:.{digits}f}{seeds_text(summary, digits, metric=metric, seeds=seeds)}{gap}"
    return Cell(value=text, flags=summary.flags)
