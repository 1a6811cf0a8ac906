"""The figure of seeds as points: how far apart are the runs of one model, next to how far apart models are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bench.analysis.figures.differences import fill_lines, legend
from bench.analysis.figures.panels import plain, plain_logarithm, texts
from bench.analysis.figures.style import BLUE, GREY
from bench.analysis.grouping import Entries, Entry, Key
from bench.analysis.results import Runs
from bench.analysis.table import MARKS
from bench.analysis.tables.per_horizon import by_block
from bench.analysis.tables.scores import block_title, dataset_headers
from bench.runs.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 2  # panels side by side, each with names of its own
PAGE = 9.8  # inches
NARROWEST = 5.2  # inches
WIDE = 4.0  # a panel whose largest error is more times the smallest is logarithmic
CAPTION = (
    "MAE on test. Points: seeds; ticks: their means; the best on top, panel by panel; grey squares: floors, which have "
    "no seeds. Logarithmic where errors differ by more than a factor of four."
)


def seed_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """By block with several seeds: each one's MAE as a point, a panel per data set, models by their means."""
    title = "How much do seeds differ, and do models differ by more?"
    return [
        _figure(f"{title}\n{block_title(place)}", {key: shown[key] for key in shown if key[0] in page})
        for place, own in by_block(runs, layouts).items()
        if (shown := finite(own)) and any(entry.seeds > 1 and not entry.floor for entry in shown.values())
        for page in pages(shown)
    ]


def finite(entries: Entries) -> Entries:
    """The cells with an error to show."""
    return {key: entry for key, entry in entries.items() if math.isfinite(entry.mean("mae"))}


def pages(shown: Entries) -> list[list[Key]]:
    """The data sets of each figure: rows of panels, of the height of the tallest, as many as a page is high."""
    data = sorted({key for key, _ in shown})
    tallest = max(_height(sum(key == each for key, _ in shown)) for each in data)
    size = COLUMNS * max(1, int(PAGE / tallest))
    return [data[start : start + size] for start in range(0, len(data), size)]


def _height(lines: int) -> float:
    return 0.6 + 0.19 * lines


def _figure(title: str, shown: Entries) -> Figure:
    from matplotlib.figure import Figure

    data, names = sorted({key for key, _ in shown}), texts(sorted({line for _, line in shown}))
    columns = min(COLUMNS, len(data))
    own = [{line: entry for (key, line), entry in shown.items() if key == each} for each in data]
    rows = [own[start : start + columns] for start in range(0, len(own), columns)]
    heights = [_height(max(map(len, row))) for row in rows]
    width = max(NARROWEST, 3.6 * columns + 0.4)
    size = (width, 1.3 + 0.6 * (width == NARROWEST) + sum(heights))  # title and caption take more lines
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    figure.suptitle(fill_lines(title, size[0]), fontsize=10)
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    headers = dataset_headers(data)
    for axis, each, header in zip(axes.flat, own, headers, strict=False):
        _panel(axis, each, names)
        axis.set_title(header.text, fontsize=9)
    for axis in list(axes.flat)[len(data) :]:
        axis.set_axis_off()
    labels = [label.get_text() for axis in figure.axes for label in axis.get_yticklabels()]
    marks = legend([*labels, *(header.text for header in headers)])
    figure.supxlabel(fill_lines(f"{CAPTION} {marks}".strip(), size[0]), fontsize=8)
    return figure


def _panel(axis: Axes, entries: Mapping[Key, Entry], names: Mapping[Key, str]) -> None:
    lines = sorted(entries, key=lambda line: (entries[line].mean("mae"), line))
    for row, line in enumerate(lines):
        entry = entries[line]
        seeds = [run["test_mae"] for run in entry.runs if math.isfinite(run["test_mae"])]
        colour = GREY if entry.floor else BLUE
        axis.plot(seeds, [row] * len(seeds), "s" if entry.floor else "o", color=colour, markersize=4, alpha=0.65, mew=0)
        if not entry.floor:
            axis.plot(entry.mean("mae"), row, "|", color="black", markersize=10, markeredgewidth=1.3)
    stale = MARKS["stale"][0]
    labels = [f"{names[line]} {stale}" if "stale" in entries[line].flags else names[line] for line in lines]
    axis.set_yticks(range(len(lines)), labels, fontsize=8)
    axis.set_ylim(len(lines) - 0.4, -0.6)
    means = [entry.mean("mae") for entry in entries.values()]
    if min(means) > 0 and max(means) > WIDE * min(means):
        axis.set_xscale("log")
        plain_logarithm(axis.xaxis)
    axis.set_xlabel("MAE", fontsize=8)
    plain(axis, "both")
    axis.tick_params(axis="y", length=0)
