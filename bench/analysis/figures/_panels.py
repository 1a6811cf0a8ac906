"""Figures of one panel per data set: which methods have a colour and a name, and which stay in the background."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.analysis.figures._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    PINK,
    SKY,
    add_caption,
    dataset_axes,
    is_narrow,
    new_figure,
    pages,
    plain,
    width_of_page,
)
from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.headers import method_headers
from bench.analysis.lines import wrapped
from bench.analysis.table import marked
from bench.analysis.units import measured, steps_note, units_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS, NARROW_PANELS = 3, 2  # side by side on a page, and in one column of it
PANEL, FLATTEST, TALLEST = 1.55, 1.2, 8.4  # inches of a row of panels, of one of many, and of all rows
LEGEND_LINE = 0.145  # inches of a line of the legend
LETTER = 0.055  # inches of a letter in it
LONGEST_LABEL = 16  # letters beside a panel
FEW = 8  # methods that can be told apart without leaving any in the background
BEST = 5  # models that keep their colour where there are more
HUES = (BLUE, ORANGE, GREEN, PINK, SKY)
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (7, 3)))
MARKERS, NAIVE_MARKERS = "os^DvPX", "x+*12"
MARKERS_A_CURVE = 6
BACKGROUND: Mapping[str, Any] = {"color": PALE, "linestyle": "-", "linewidth": 0.7, "zorder": 1}

Styles: TypeAlias = Mapping[MethodKey, Mapping[str, Any]]
"""How the highlighted methods are drawn; all others are background."""


@dataclass(frozen=True, kw_only=True)
class Highlighted:
    """The methods of a group that have a colour and a name.

    Attributes:
        models: The best first if there are others.
        naive: Naive baselines; the best alone if there are others.
        left_out: Whether there are others, and these are not drawn at all.
        over: What their errors are averaged over to tell which are the best.
    """

    models: tuple[MethodKey, ...]
    naive: tuple[MethodKey, ...]
    left_out: bool = False
    over: str = "data sets"

    @property
    def methods(self) -> tuple[MethodKey, ...]:
        return (*self.models, *self.naive)

    def rule(self, shown: Collection[MethodKey]) -> str:
        """By which rule they were chosen from the methods of a figure, for its caption; empty if they are all."""
        background = bool({*shown} - {*self.methods})
        if not (background or self.left_out):
            return ""
        baseline = "; grey: the best naive baseline" if {*self.naive} & {*shown} else ""
        rest = "pale: all others" if background else "all others are left out"
        return (
            f"In colour: the {BEST} best models by MAE relative to the best on each data set, mean over {self.over} "
            f"(those run on the most first){baseline}; {rest}."
        )


def highlighted(*groups: Group) -> Highlighted:
    """All methods of a group, or of one group for each share of the data, if they are few, else the best."""
    if len({method for group in groups for method in group.methods}) <= FEW:
        return all_highlighted(*groups)
    models, naive = best_first(*groups, naive=False), best_first(*groups, naive=True)
    over = "data sets and shares" if len(groups) > 1 else "data sets"
    return Highlighted(models=tuple(models[:BEST]), naive=tuple(naive[:1]), over=over)


def all_highlighted(*groups: Group) -> Highlighted:
    """All methods of a group, or of several, in the order of their names."""
    methods = {method for group in groups for method in group.methods}
    naive = {method for group in groups for method in group.naive}
    return Highlighted(models=tuple(sorted(methods - naive)), naive=tuple(sorted(naive)))


def best_first(*groups: Group, naive: bool) -> list[MethodKey]:
    """Models or naive baselines by MAE relative to the smallest on each data set, mean over data sets and groups.

    Those with current runs on fewer of them come later.
    """
    ratios: dict[MethodKey, list[float]] = {}
    for group in groups:
        means = {key: cell.mean("mae") for key, cell in group.cells.items() if cell.ranked}
        known = {key: mean for key, mean in means.items() if math.isfinite(mean)}
        smallest = {data: min(mean for (other, _), mean in known.items() if other == data) for data, _ in known}
        for method in group.methods:
            if (method in group.naive) == naive:
                found = [mean / max(smallest[data], 1e-12) for (data, other), mean in known.items() if other == method]
                ratios.setdefault(method, []).extend(found)
    return sorted(ratios, key=lambda method: (-len(ratios[method]), fmean(ratios[method] or [math.inf]), method))


def line_styles(chosen: Highlighted, *, joined: bool = True) -> Styles:
    """Colour, dashes (if points are joined) and marker of every highlighted method, no two of twenty alike.

    Seven models and five naive baselines can be told apart without any colour.
    """
    styles: dict[MethodKey, Mapping[str, Any]] = {}
    for methods, hues, markers in ((chosen.models, HUES, MARKERS), (chosen.naive, (GREY,), NAIVE_MARKERS)):
        for number, method in enumerate(methods):
            styles[method] = {
                "color": hues[number % len(hues)],
                "linestyle": DASHES[(number + number // len(HUES)) % len(DASHES)] if joined else "",
                "marker": markers[number % len(markers)],
                "markersize": 3.5,
                "linewidth": 1.4,
            }
    return styles


def panels(
    group: Group,
    chosen: Highlighted,
    title: str,
    caption: str,
    draw_panel: Callable[[Axes, Mapping[MethodKey, Summary], Styles], None],
    labels: tuple[str, str],
    *,
    joined: bool = True,
) -> Iterator[Figure]:
    """One panel per data set, one legend, and the marks that occur explained in the caption.

    What is taller than a page comes in several figures.

    Args:
        group: What is drawn.
        chosen: The methods with a colour and a name.
        title: The question and what the group is.
        caption: How to read the figure; the rule by which methods were chosen is added.
        draw_panel: Draws the cells of one data set.
        labels: Of the axes, across and up.
        joined: Whether points are joined by lines.
    """
    styles, columns = line_styles(chosen, joined=joined), NARROW_PANELS if is_narrow() else PANELS
    for page in pages(group.datasets, columns, TALLEST / FLATTEST):
        yield _figure(group.on(page), chosen, title, caption, draw_panel, labels, styles)


def _figure(
    group: Group,
    chosen: Highlighted,
    title: str,
    caption: str,
    draw_panel: Callable[[Axes, Mapping[MethodKey, Summary], Styles], None],
    labels: tuple[str, str],
    styles: Styles,
) -> Figure:
    columns = min(NARROW_PANELS if is_narrow() else PANELS, len(group.datasets))
    names = method_names(group, group.stale)
    lines = {names[method]: style for method, style in styles.items() if method in names}
    lines |= {"others": BACKGROUND} if len(lines) < len(names) else {}
    rows = math.ceil(len(group.datasets) / columns)
    below = _legend_columns(lines)
    legend = math.ceil(len(lines) / below) * LEGEND_LINE
    height = rows * min(PANEL, TALLEST / rows) + (legend if is_narrow() else 0.1)
    figure = new_figure(title, height if is_narrow() else max(height, legend * below))
    axes = dataset_axes(figure, group.datasets, columns)
    for data, axis in axes.items():
        draw_panel(axis, group.of(data), styles)
        plain(axis)
    _add_legend(figure, lines, below)
    _label_outer(axes, columns, *labels, units_of(group))
    shown = [*lines, *(axis.get_title() for axis in axes.values())]
    add_caption(figure, " ".join((caption, chosen.rule(names), steps_note(group))), shown)
    return figure


def draw_curve(
    axis: Axes,
    style: Mapping[str, Any] | None,
    mean: Sequence[float],
    seeds: Sequence[Sequence[float]] = (),
    x: Sequence[float] | None = None,
) -> None:
    """Draw the curve of one method.

    Args:
        axis: The panel.
        style: Of a highlighted method; any other has its mean in the background alone.
        mean: Over seeds.
        seeds: Drawn if there are several.
        x: Of the mean; if it is None, points are counted from 1.
    """
    across = range(1, len(mean) + 1) if x is None else x
    if style is None:
        axis.plot(across, mean, **BACKGROUND)
        return
    for curve in seeds if len(seeds) > 1 else ():
        axis.plot(range(1, len(curve) + 1), curve, color=style["color"], linewidth=0.4, alpha=0.6)
    axis.plot(across, mean, markevery=max(1, len(mean) // MARKERS_A_CURVE), **style)


def method_names(group: Group, stale: Container[MethodKey]) -> dict[MethodKey, str]:
    """The names of all methods with their marks, those that are stale marked as such."""
    headers = method_headers(group.methods)
    return {method: marked(header.text, ("stale",) if method in stale else ()) for method, header in headers.items()}


def _legend_columns(names: Iterable[str]) -> int:
    """How many names stand side by side below a figure that is as wide as one column."""
    longest = max(map(len, names), default=1)
    return max(1, int(width_of_page() / (0.4 + LETTER * longest)))


def _add_legend(figure: Figure, lines: Mapping[str, Mapping[str, Any]], below: int) -> None:
    """Right of the panels, or below them where one column is all there is."""
    handles = [figure.axes[0].plot([], [], label=name, **style)[0] for name, style in lines.items()]
    place: dict[str, Any] = {"loc": "outside right center"}
    if is_narrow():
        place = {"loc": "outside lower center", "ncols": below, "columnspacing": 1.0}
    figure.legend(handles=handles, frameon=False, handlelength=2.4, handletextpad=0.5, **place)


def _label_outer(
    axes: Mapping[DataKey, Axes], columns: int, across: str, up: str, units: Mapping[DataKey, str]
) -> None:
    """Name both axes once, below the lowest panels and beside the first ones; every panel where units differ."""
    apart = len(set(units.values())) > 1
    for number, (data, axis) in enumerate(axes.items()):
        if number + columns >= len(axes):
            axis.set_xlabel(across)
        if number % columns == 0 or apart:
            axis.set_ylabel(wrapped(measured(up, units[data]), LONGEST_LABEL, cut=True))
