"""What accuracy costs: error against time, with the Pareto front."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from bench.analysis.channels import pooled
from bench.analysis.figures._panels import Styles, all_highlighted, panels
from bench.analysis.figures._style import plain_logarithm
from bench.analysis.groups import MethodKey, Summary
from bench.analysis.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

K = TypeVar("K", bound=Hashable)
CAPTION = (
    "MAE against milliseconds to forecast a window (logarithmic), means over seeds. Black rings and the line: the "
    "Pareto front, naive baselines included; grey: naive baselines. What else the machine did meanwhile is not known."
)


def draw(results: Results) -> Iterator[Figure]:
    """For each group and device: MAE against milliseconds a window, a panel per data set."""
    for (key, device), group in results.groups_by_device().items():
        cells = {at: cell for at, cell in pooled(group).cells.items() if cell.cost("ms_per_window") > 0}
        timed = replace(group, cells=cells)
        if timed.cells:
            title = f"What does accuracy cost?\n{key.title}, on {device}"
            labels = ("ms a window", "MAE")
            yield from panels(timed, all_highlighted(timed), title, CAPTION, _draw_panel, labels, joined=False)


def pareto_front(points: Mapping[K, tuple[float, float]]) -> list[K]:
    """The points that no other beats in both coordinates, sorted by the first."""
    front: list[K] = []
    for key in sorted(points, key=lambda key: points[key]):
        if not front or points[key][1] < points[front[-1]][1]:
            front.append(key)
    return front


def _draw_panel(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    points = {method: (cell.cost("ms_per_window"), cell.mean("mae")) for method, cell in cells.items()}
    points = {method: point for method, point in points.items() if math.isfinite(point[1])}
    current = {method: point for method, point in points.items() if cells[method].ranked}
    front = [current[method] for method in pareto_front(current)]
    axis.plot([x for x, _ in front], [y for _, y in front], color="black", linewidth=0.8, alpha=0.6, zorder=1)
    for method, point in points.items():
        axis.plot(*point, **{**styles[method], "markersize": 5.5})
        if point in front:
            axis.plot(*point, "o", markersize=9, markerfacecolor="none", markeredgecolor="black", markeredgewidth=0.8)
    axis.margins(0.12)
    axis.set_xscale("log")
    plain_logarithm(axis.xaxis)
