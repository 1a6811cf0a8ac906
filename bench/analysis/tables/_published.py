"""The part of a suite's table that lays our numbers beside those that others printed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from bench.analysis.groups import DataKey, Group, Summary
from bench.analysis.headers import dataset_headers, decimals, told_apart
from bench.analysis.inputs import inputs_note
from bench.analysis.suite_groups import comparable_data
from bench.analysis.table import Cell, Header, Table
from bench.analysis.tables._differences import signed
from bench.catalog.titles import model_title
from bench.metrics import METRICS, SHOWN
from bench.runs.published import Published


def published_tables(group: Group, published: Published) -> list[Table]:
    """Ours and theirs, row by row, then ours that they do not have, one grid a metric that is shown and was printed."""
    return [_table(group, published, metric) for metric in SHOWN if hasattr(published, metric)]


def _table(group: Group, published: Published, metric: str) -> Table:
    columns = _columns(group, published)
    rows: dict[str, list[Cell]] = {}
    titles = told_apart({key.name: key.title for key in group.methods})
    for name in published.mae:
        title = titles.get(name) or model_title(name)
        theirs = [published.value(metric, name, data.dataset) for data in columns]
        if any(ours := _ours(group, columns, name)):
            rows[title] = [_cell(summary, metric, value) for summary, value in zip(ours, theirs, strict=True)]
        called = published.names.get(name, title)
        rows[f"{called}, published"] = [Cell(value=f"{value:.{decimals(value)}f}") for value in theirs]
    for key in group.methods:
        if key.name not in published.mae and any(ours := _ours(group, columns, key.name)):
            rows[titles[key.name]] = [_cell(summary, metric, None) for summary in ours]
    return Table(
        key=metric,
        heading=f"Beside published numbers. {group.key.title}",
        corner=METRICS[metric].label,
        rows=tuple(Header(name=name) for name in rows),
        columns=tuple(dataset_headers(columns).values()),
        cells=tuple(map(tuple, rows.values())),
        notes=(
            f"Published: {published.source}.",
            "In brackets: how much more ours is than published, in percent, where they have the model.",
            published.caveat,
            *([read] if (read := inputs_note(group)) else []),
        ),
    )


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


def _cell(summary: Summary | None, metric: str, published: float | None) -> Cell:
    if summary is None:
        return Cell(flags=("missing",))
    mean, std = summary.mean(metric), summary.std(metric)
    if not math.isfinite(mean):
        return Cell(flags=summary.flags)
    digits = decimals(mean)
    spread = f" ± {std:.{digits}f}" if math.isfinite(std) and not summary.naive else ""
    gap = "" if published is None else f" ({signed(100 * (mean / published - 1))})"
    return Cell(value=f"{mean:.{digits}f}{spread}{gap}", flags=summary.flags)
