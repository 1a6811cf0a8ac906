"""One look for all figures: colours that everyone can tell apart, titles, captions, axes and pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from bench.analysis.groups import DataKey
from bench.analysis.headers import dataset_headers
from bench.analysis.lines import wrapped
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

WIDTHS: Mapping[str, float] = {"column": 3.3, "page": 6.8}
"""Inches of one column of a paper of two, and of both."""
NARROWER = 5.0  # inches: a figure for one column
DPI = 300
TYPE, SMALL = 8.0, 7.0  # points
LETTERS, BESIDE = 15, 0.45  # of an inch of a title; inches beside a panel
LINE = 0.135  # inches of a line of type
ROOM = 2.0  # inches around a panel, more than any texts take
LOOK: Mapping[str, Any] = {
    "text.parse_math": False,
    "pdf.fonttype": 42,  # TrueType: text stays text, and no font is of Type 3
    "ps.fonttype": 42,
    "svg.fonttype": "path",  # no reader needs the font
    "svg.hashsalt": "stbench",  # the same bytes each time
    "font.size": TYPE,
    **dict.fromkeys(("axes.titlesize", "axes.labelsize", "figure.titlesize", "figure.labelsize"), TYPE),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), SMALL),
    **dict.fromkeys(("figure.titleweight", "figure.labelweight"), "normal"),
    **dict.fromkeys(("axes.linewidth", "xtick.major.width", "ytick.major.width", "grid.linewidth"), 0.6),
    **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 2.5),
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.0,
}
"""Of every figure: names and units are drawn as they are, a ``$`` begins no formula, and type is of 7 or 8 points."""


def new_figure(title: str, height: float) -> Figure:
    """A figure as wide as ``figure.figsize`` says and this many inches high; its title is kept, but not drawn."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    width = mpl.rcParams["figure.figsize"][0]
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    figure.suptitle(fill_lines(title, width), visible=False, in_layout=False)
    return figure


def width_of_page() -> float:
    """How wide the next figure is, in inches."""
    import matplotlib as mpl

    return float(mpl.rcParams["figure.figsize"][0])


def is_narrow() -> bool:
    """Whether the next figure is for one column of two."""
    return width_of_page() < NARROWER


def add_caption(figure: Figure, caption: str, marked: Iterable[str] = ()) -> None:
    """Keep a caption, with the marks explained that occur in ``marked``; it is not drawn."""
    text = " ".join(f"{caption} {legend_of(marked)}".split())
    figure.supxlabel(fill_lines(text, 1.12 * figure.get_figwidth()), size=SMALL, visible=False, in_layout=False)


def with_texts(figure: Figure) -> Figure:
    """The same figure with its title above and its caption below, and higher by as much."""
    lines = 0
    for text in (figure._suptitle, figure._supxlabel):  # type: ignore[attr-defined] # matplotlib has no name for them
        if text is not None and text.get_text():
            lines += 1 + text.get_text().count("\n")
            text.set(visible=True, in_layout=True)
    figure.set_figheight(figure.get_figheight() + LINE * lines + 0.1)
    return figure


def fit_height(figure: Figure, height: float) -> None:
    """Make a figure as high as its rows of panels, in inches together, and all texts around them need."""
    figure.set_figheight(height + ROOM * len(figure.axes))
    figure.draw_without_rendering()  # so that the layout knows how much the texts take
    places = {round(place.y0, 3): place.height for place in (axis.get_position() for axis in figure.axes)}
    texts = figure.get_figheight() * (1 - sum(places.values()))
    figure.set_figheight(round(height + texts, 2))


def fill_lines(text: str, width: float) -> str:
    """Break lines that are longer than a figure is wide, in inches."""
    return "\n".join(wrapped(line, int(15 * width), cut=True) for line in text.splitlines())


def dataset_axes(figure: Figure, datasets: Sequence[DataKey], columns: int, **options: Any) -> dict[DataKey, Axes]:
    """A panel for each data set under its name; the cells of the grid that are left over stay empty."""
    axes = figure.subplots(math.ceil(len(datasets) / columns), columns, squeeze=False, **options).flatten()
    letters = max(10, int(LETTERS * (figure.get_figwidth() / columns - BESIDE)))
    for axis, header in zip(axes, dataset_headers(datasets).values(), strict=False):
        axis.set_title(wrapped(header.text, letters, cut=True))
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
