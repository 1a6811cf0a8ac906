"""Seeds as points: how far apart the runs of one model are, next to how far apart models are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.analysis.figures._panels import method_names
from bench.analysis.figures._style import (
    BLUE,
    GREY,
    add_caption,
    dataset_axes,
    fit_height,
    is_narrow,
    new_figure,
    pages,
    plain,
    plain_logarithm,
)
from bench.analysis.groups import Group, MethodKey, Summary
from bench.analysis.results import Results
from bench.analysis.units import measured, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2  # panels side by side on a page, each with names of its own
PAGE, AROUND = 8.6, 0.65  # inches; about what the texts around a panel take
WIDE = 4.0  # a panel whose largest error is more times the smallest is logarithmic
CAPTION = (
    "MAE on test. Points: seeds; ticks: their means; the best on top, panel by panel; grey squares: naive baselines, "
    "which no seed changes. Logarithmic where errors differ by more than a factor of four."
)
NEEDS = "finished runs of a trained model with several seeds"


def draw(results: Results) -> Iterator[Figure]:
    """For each group with several seeds: the MAE of each as a point, a panel per data set, models by their means."""
    for whole in results.pooled_groups():
        cells = {key: cell for key, cell in whole.cells.items() if math.isfinite(cell.mean("mae"))}
        group = replace(whole, cells=cells)
        if any(cell.seeds > 1 and not cell.naive for cell in group.cells.values()):
            tallest = max(_height(group.of(data)) for data in group.datasets)
            for page in pages(group.datasets, _columns(), PAGE / (tallest + AROUND)):
                yield _figure(group.on(page))


def _height(cells: Mapping[MethodKey, Summary]) -> float:
    return 0.06 + 0.145 * len(cells)


def _columns() -> int:
    return 1 if is_narrow() else COLUMNS


def _figure(group: Group) -> Figure:
    columns = min(_columns(), len(group.datasets))
    heights = [_height(group.of(data)) for data in group.datasets]
    rows = [max(heights[start : start + columns]) for start in range(0, len(heights), columns)]
    title = f"How much do seeds differ, and do models differ by more?\n{group.key.title}"
    figure = new_figure(title, PAGE)
    axes = dataset_axes(figure, group.datasets, columns, height_ratios=rows)
    for data, axis in axes.items():
        cells = group.of(data)
        stale = {method for method, cell in cells.items() if "stale" in cell.flags}
        _draw_panel(axis, cells, method_names(group, stale), measured("MAE", unit_of(cells.values())))
    fit_height(figure, sum(rows))
    labels = [label.get_text() for axis in axes.values() for label in axis.get_yticklabels()]
    add_caption(figure, CAPTION, [*labels, *(axis.get_title() for axis in axes.values())])
    return figure


def _draw_panel(axis: Axes, cells: Mapping[MethodKey, Summary], names: Mapping[MethodKey, str], label: str) -> None:
    means = {method: cell.mean("mae") for method, cell in cells.items()}
    methods = sorted(means, key=lambda method: (means[method], method))
    for row, method in enumerate(methods):
        seeds, naive = cells[method].values("mae"), cells[method].naive
        marker, colour = ("s", GREY) if naive else ("o", BLUE)
        axis.plot(seeds, [row] * len(seeds), marker, color=colour, markersize=4, alpha=0.65, mew=0)
        if not naive:
            axis.plot(means[method], row, "|", color="black", markersize=8, markeredgewidth=1.2)
    axis.set_yticks(range(len(methods)), [names[method] for method in methods])
    axis.set_ylim(len(methods) - 0.4, -0.6)
    if 0 < WIDE * min(means.values()) < max(means.values()):
        axis.set_xscale("log")
        plain_logarithm(axis.xaxis)
    axis.set_xlabel(label)
    plain(axis)
    axis.tick_params(axis="y", length=0)
