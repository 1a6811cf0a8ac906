"""Figures over several suites, by name; here those of who leads over all data sets and what accuracy costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from bench.analysis.figures.curves import daily_figures, horizon_figures, learning_figures
from bench.analysis.figures.differences import Overview, fill_lines, legend
from bench.analysis.figures.maps import map_figures
from bench.analysis.figures.panels import Looks, everyone, outer_labels, panels, plain, plain_logarithm
from bench.analysis.figures.seeds import seed_figures
from bench.analysis.figures.style import BLUE, GREY, ORANGE
from bench.analysis.grouping import Entry, Key
from bench.analysis.results import Runs
from bench.analysis.stats.ranking import (
    FRIEDMAN_MODELS,
    LEVEL,
    average_ranks,
    cliques,
    critical_difference,
    datasets_for_a_claim,
    friedman,
    pairs,
)
from bench.analysis.tables.efficiency import by_device, cost
from bench.analysis.tables.ranks import Standing, standings
from bench.analysis.tables.scores import block_title
from bench.runs.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def rank_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """Critical-difference diagrams: average ranks, and bars over models that Nemenyi's test does not tell apart."""
    found = standings(runs, layouts)
    return [
        _rank_figure(block_title(place), each)
        for place, each in found.items()
        if each.enough and each.scores.shape[1] >= FRIEDMAN_MODELS
    ]


def cost_figures(runs: Runs, layouts: Sequence[Layout]) -> list[Figure]:
    """By block and device: MAE against milliseconds a window, a panel per data set."""
    caption = (
        "MAE against milliseconds to forecast a window (logarithmic), means over seeds. Black rims and the line: what "
        "nothing else beats in both, floors among it; grey: floors."
    )
    question = "What does accuracy cost?"
    found = by_device(runs, layouts)
    priced = {key: {one: e for one, e in own.items() if cost(e, "ms_per_window") > 0} for key, own in found.items()}
    figures = []
    for (place, device), own in priced.items():
        if own:
            title = f"{question}\n{block_title(place)}, on {device}"
            figures.append(panels(title, caption, own, everyone(own), _prices, joined=False))
            outer_labels(figures[-1], "ms a window", "MAE")
    return figures


def pareto(points: Mapping[Key, tuple[float, float]]) -> list[Key]:
    """Those that no other beats in cost and error at once, the cheapest first."""
    front: list[Key] = []
    for key in sorted(points, key=lambda key: points[key]):
        if not front or points[key][1] < points[front[-1]][1]:
            front.append(key)
    return front


Drawing = Callable[[Runs, Sequence[Layout]], "list[Figure]"]
FIGURES: Mapping[str, tuple[str, Drawing]] = {
    "ranks": ("ranks", rank_figures),
    "per_horizon": ("horizon", horizon_figures),
    "efficiency": ("cost", cost_figures),
    "learning": ("learning", learning_figures),
    "seeds": ("seeds", seed_figures),
    "maps": ("maps", map_figures),
    "daily": ("daily", daily_figures),
}
"""By the name of their table, or their own, what their files are called and who draws them."""


def overview_figures(names: Sequence[str], layouts: Sequence[Layout]) -> list[Overview]:
    """The figures of the named tables, of the runs of these layouts; names that are none of them are passed over."""
    chosen = [FIGURES[name] for name in names if name in FIGURES]
    return [(stem, partial(_drawn, draw, tuple(layouts))) for stem, draw in chosen]


def _drawn(draw: Drawing, layouts: Sequence[Layout], runs: Runs) -> list[Figure]:
    return draw(runs, layouts)


def _rank_figure(title: str, each: Standing) -> Figure:
    from matplotlib.figure import Figure

    (n, k), average = each.scores.shape, average_ranks(each.scores).sort_values(kind="stable")
    difference, test = critical_difference(k, n), friedman(each.scores)
    figure = Figure(figsize=(6.5, 1.9 + 0.26 * k), dpi=200, layout="constrained")
    figure.suptitle(fill_lines(f"Which models lead over all data sets?\n{title}", 6.5), fontsize=10)
    axis = figure.subplots()
    axis.hlines(range(k), 1, average, color=GREY, linewidth=0.6, alpha=0.5)
    axis.plot(average, range(k), "o", color=BLUE, markersize=5)
    rows = {str(name): row for row, name in enumerate(average.index)}
    for place, group in enumerate(cliques(average, difference)):
        ends = [rows[group[0]] - 0.2, rows[group[-1]] + 0.2]
        side = axis.get_yaxis_transform()
        axis.plot([1.02 + 0.02 * place] * 2, ends, color="black", linewidth=3, clip_on=False, transform=side)
    axis.errorbar(1 + difference / 2, -1, xerr=difference / 2, color=ORANGE, capsize=4)
    axis.text(1, -1.3, f"critical difference {difference:.2f}", va="bottom", fontsize=8, color=ORANGE)
    axis.set_yticks(range(k), [each.headers[str(name)].text for name in average.index])
    end = max(k, 1 + difference) + 0.2
    axis.set(xlim=(0.9, end), ylim=(k - 0.5, -2.0))
    plain(axis, "x")
    needed = datasets_for_a_claim(pairs(k))
    caption = (
        f"Average rank by MAE on {n} real data sets (1: the best). Bars join models that Nemenyi's test does not tell "
        f"apart at {LEVEL}; Friedman's test: p {'< 0.001' if test.p < 0.001 else f'= {test.p:.3f}'}. A claim about two "
        f"models by Wilcoxon's test, corrected for all pairs, takes {needed} data sets at least."
    )
    figure.supxlabel(
        fill_lines(f"{caption} {legend([header.text for header in each.headers.values()])}", 6.5), fontsize=8
    )
    return figure


def _prices(axis: Axes, entries: Mapping[Key, Entry], looks: Looks) -> None:
    points = {line: (cost(entry, "ms_per_window"), entry.mean("mae")) for line, entry in entries.items()}
    points = {line: point for line, point in points.items() if math.isfinite(point[1])}
    front = [points[line] for line in pareto({line: points[line] for line in points if entries[line].ranked})]
    axis.plot([x for x, _ in front], [y for _, y in front], color="black", linewidth=0.8, alpha=0.6, zorder=1)
    for line, (x, y) in points.items():
        edge = {"markeredgecolor": "black"} if (x, y) in front else {}
        axis.plot(x, y, **{**looks[line], "markersize": 5.5, **edge})
    axis.margins(0.12)
    axis.set_xscale("log")
    plain_logarithm(axis.xaxis)
