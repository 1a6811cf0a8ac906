"""One look for all figures: colours that everyone can tell apart, titles, captions, axes and pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

from bench.analysis.groups import DataKey
from bench.analysis.headers import dataset_headers
from bench.analysis.table import legend_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# The palette of Okabe and Ito, which is safe for readers who cannot tell red from green.
BLUE, ORANGE, GREEN, PINK, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9"
GREY, PALE, WARNING = "#6b6b6b", "#c4c4c4", "#B00020"
TICKS = (
    (4, (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)),
    (12, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)),
    (60, (1.0, 2.0, 5.0)),
    (400, (1.0, 3.0)),
)
"""Which multiples of a power of ten are labelled on an axis whose end is less than so many times its beginning."""


def new_figure(title: str, width: float, height: float) -> Figure:
    """A figure of this size in inches, under its title."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=200, layout="constrained")
    figure.suptitle(fill_lines(title, width), fontsize=10)
    return figure


def add_caption(figure: Figure, caption: str, marked: Iterable[str] = (), *, stretch: float = 1.0) -> None:
    """Put a caption below a figure and explain the marks that occur in ``marked``; lines are ``stretch`` as long."""
    text = " ".join(f"{caption} {legend_of(marked)}".split())
    figure.supxlabel(fill_lines(text, stretch * figure.get_figwidth()), fontsize=8)


def fill_lines(text: str, width: float) -> str:
    """Break lines that are longer than a figure is wide, in inches."""
    return "\n".join(fill(line, int(13 * width)) for line in text.splitlines())


def dataset_axes(figure: Figure, datasets: Sequence[DataKey], columns: int, **options: Any) -> dict[DataKey, Axes]:
    """A panel for each data set under its name; the cells of the grid that are left over stay empty."""
    axes = figure.subplots(math.ceil(len(datasets) / columns), columns, squeeze=False, **options).flatten()
    for axis, header in zip(axes, dataset_headers(datasets).values(), strict=False):
        axis.set_title(header.text, fontsize=9)
    for axis in axes[len(datasets) :]:
        axis.set_axis_off()
    return dict(zip(datasets, axes, strict=False))


def pages(datasets: Sequence[DataKey], columns: int, rows: float) -> list[Sequence[DataKey]]:
    """The data sets of each figure, if a page has room for so many rows of panels."""
    size = columns * max(1, int(rows))
    return [datasets[start : start + size] for start in range(0, len(datasets), size)]


def plain(axis: Axes, grid: Literal["x", "both"] = "both") -> None:
    """A light grid, small numbers, no frame above and to the right."""
    axis.grid(axis=grid, alpha=0.3)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def whole_numbers(axis: Axis) -> None:
    """Ticks at whole numbers alone."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def plain_logarithm(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis on which everything is drawn: more of them where it spans less."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    steps = next((steps for span, steps in TICKS if high < span * low), (1.0,))
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(NullLocator())
