"""The part of a suite's table that lays our numbers beside those that others printed."""

from __future__ import annotations

import math

from bench.analysis.groups import DataKey, Group, Summary
from bench.analysis.headers import dataset_headers, told_apart
from bench.analysis.suite_groups import comparable_data
from bench.analysis.table import Cell, Header, Table
from bench.catalog.titles import model_title
from bench.metrics import METRICS, SHOWN
from bench.runs.published import Published


def published_tables(group: Group, published: Published) -> list[Table]:
    """Ours and theirs, row by row, then ours that they do not have, one grid a metric that is shown and was printed."""
    return [_table(group, published, metric) for metric in SHOWN if hasattr(published, metric)]


def _table(group: Group, published: Published, metric: str) -> Table:
    datasets = comparable_data(group, published)
    rows: dict[str, list[Cell]] = {}
    titles = told_apart({key.name: key.title for key in group.methods})
    for name in published.mae:
        title = titles.get(name) or model_title(name)
        ours = [_summary(group, data, name) for data in datasets]
        if any(ours):
            rows[title] = [
                _ours(summary, metric, published.value(metric, name, data.dataset))
                for data, summary in zip(datasets, ours, strict=True)
            ]
        theirs = [published.value(metric, name, data.dataset) for data in datasets]
        rows[f"{title}, published"] = [Cell(value=f"{value:g}") for value in theirs]
    for key in group.methods:
        if key.name not in published.mae and any(ours := [_summary(group, data, key.name) for data in datasets]):
            rows[titles[key.name]] = [_ours(summary, metric, None) for summary in ours]
    return Table(
        key=metric,
        heading=f"Beside published numbers. {group.key.title}",
        corner=METRICS[metric].label,
        rows=tuple(Header(name=name) for name in rows),
        columns=tuple(dataset_headers(datasets).values()),
        cells=tuple(map(tuple, rows.values())),
        notes=(
            f"Published: {published.source}.",
            "In brackets: how much more ours is than published, in percent, where they have the model.",
            "Their recipe is theirs; protocol and metrics are the same.",
        ),
    )


def _summary(group: Group, data: DataKey, name: str) -> Summary | None:
    """Our runs under a name, unless they are told apart by their settings."""
    runs = ((key, summary) for key, summary in group.of(data).items() if not key.external)
    ours = [summary for key, summary in runs if key.name == name and not key.settings]
    return ours[-1] if ours else None


def _ours(summary: Summary | None, metric: str, published: float | None) -> Cell:
    if summary is None:
        return Cell(flags=("missing",))
    mean, std = summary.mean(metric), summary.std(metric)
    if not math.isfinite(mean):
        return Cell(flags=summary.flags)
    spread = f" ± {std:.3g}" if math.isfinite(std) and not summary.naive else ""
    gap = "" if published is None else f" ({round(100 * (mean / published - 1)):+d})"
    return Cell(value=f"{mean:.4g}{spread}{gap}", flags=summary.flags)
