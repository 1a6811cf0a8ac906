"""Figures of one panel per data set: which lines have a colour and a name, and which stay in the background."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from bench.analysis.figures.differences import fill_lines, legend
from bench.analysis.figures.style import BLUE, GREEN, GREY, ORANGE, PALE, PINK, SKY
from bench.analysis.grouping import Entries, Entry, Key
from bench.analysis.table import MARKS
from bench.analysis.tables.scores import dataset_headers, line_headers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PANELS = 3  # side by side
FEW = 8  # lines that can be told apart without leaving any in the background
BEST = 5  # models that keep their colour where there are more
HUES = (BLUE, ORANGE, GREEN, PINK, SKY)
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (7, 3)))
MARKERS = "os^DvPX"
FLOOR_MARKERS = "x+*12"
TICKS = (
    (4, (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)),
    (12, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)),
    (60, (1.0, 2.0, 5.0)),
    (400, (1.0, 3.0)),
)
"""Which multiples of a power of ten are named on an axis whose end is less than so many times its beginning."""
BACKGROUND: Mapping[str, Any] = {"color": PALE, "linestyle": "-", "linewidth": 0.7, "zorder": 1}

Looks = Mapping[Key, Mapping[str, Any]]
"""How the named lines are drawn; all others are background."""
Draw = Callable[["Axes", Mapping[Key, Entry], Looks], None]


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Who of a block is named.

    Attributes:
        models: The best first if only some are named.
        floors: Of many lines the best alone.
        others: How many lines stay in the background.
    """

    models: tuple[Key, ...]
    floors: tuple[Key, ...]
    others: int

    @property
    def named(self) -> tuple[Key, ...]:
        return (*self.models, *self.floors)

    def rule(self, shown: Collection[Key], *, left_out: bool = False) -> str:
        """The sentence that a caption owes its reader of the lines shown; empty if all are named, none left out."""
        background = bool({*shown} - {*self.named})
        if not (background or (left_out and self.others)):
            return ""
        floor = "; grey: the best floor" if {*self.floors} & {*shown} else ""
        rest = "pale: all others" if background else "all others are left out"
        return (
            f"In colour: the {BEST} best models by MAE relative to the best on each data set, mean over data sets "
            f"(those run on the most first){floor}; {rest}."
        )


def cast(entries: Entries) -> Cast:
    """All lines of a block if they are few, else the best."""
    models, floors = leading(entries, floors=False), leading(entries, floors=True)
    if len(models) + len(floors) <= FEW:
        return Cast(models=tuple(sorted(models)), floors=tuple(sorted(floors)), others=0)
    best, floor = tuple(models[:BEST]), tuple(floors[:1])
    return Cast(models=best, floors=floor, others=len(models) + len(floors) - len(best) - len(floor))


def leading(entries: Entries, *, floors: bool) -> list[Key]:
    """Models or floors by MAE relative to the smallest on each data set, mean over data sets; the best first.

    Those with current runs on fewer data sets come later.
    """
    scores = {key: entry.mean("mae") for key, entry in entries.items() if entry.ranked}
    known = {key: score for key, score in scores.items() if math.isfinite(score)}
    smallest = {data: min(score for (key, _), score in known.items() if key == data) for data, _ in known}
    ratios: dict[Key, list[float]] = {line: [] for (_, line), entry in entries.items() if entry.floor == floors}
    for (data, line), score in known.items():
        if line in ratios:
            ratios[line].append(score / max(smallest[data], 1e-12))
    return sorted(ratios, key=lambda line: (-len(ratios[line]), fmean(ratios[line] or [math.inf]), line))


def looks(chosen: Cast, *, joined: bool = True) -> Looks:
    """Colour, dashes (if points are joined) and marker of every named line, no two of twenty alike.

    Seven models and five floors are told apart without any colour.
    """
    found: dict[Key, Mapping[str, Any]] = {}
    for group, hues, markers in ((chosen.models, HUES, MARKERS), (chosen.floors, (GREY,), FLOOR_MARKERS)):
        for number, line in enumerate(group):
            found[line] = {
                "color": hues[number % len(hues)],
                "linestyle": DASHES[(number + number // len(HUES)) % len(DASHES)] if joined else "",
                "marker": markers[number % len(markers)],
                "markersize": 3.5,
                "linewidth": 1.4,
            }
    return found


def panels(
    title: str,
    caption: str,
    entries: Entries,
    chosen: Cast,
    draw: Draw,
    *,
    joined: bool = True,
    left_out: bool = False,
) -> Figure:
    """One panel per data set, one legend, and the marks that occur explained in the caption.

    Points are ``joined`` by lines or not; ``left_out`` says that ``entries`` lack the lines that are not named.
    """
    from matplotlib.figure import Figure

    data = sorted({key for key, _ in entries})
    shown = sorted({line for _, line in entries})
    columns, look, names = min(PANELS, len(data)), looks(chosen, joined=joined), marked_texts(entries)
    rows = math.ceil(len(data) / columns)
    handles: dict[str, Mapping[str, Any]] = {names[line]: each for line, each in look.items() if line in names}
    handles |= {"others": BACKGROUND} if len(handles) < len(shown) else {}
    size = (2.4 + 2.4 * columns, 1.6 + max(2.1 * rows, 0.17 * len(handles)))
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    figure.suptitle(fill_lines(title, size[0]), fontsize=10)
    axes, headers = figure.subplots(rows, columns, squeeze=False), dataset_headers(data)
    for axis, key, header in zip(axes.flat, data, headers, strict=False):
        draw(axis, {line: entry for (place, line), entry in entries.items() if place == key}, look)
        axis.set_title(header.text, fontsize=9)
        plain(axis, "both")
    for axis in list(axes.flat)[len(data) :]:
        axis.set_axis_off()
    drawn = [axes[0, 0].plot([], [], label=name, **each)[0] for name, each in handles.items()]
    figure.legend(handles=drawn, loc="outside right center", fontsize=7, frameon=False, handlelength=3)
    rule = chosen.rule(shown, left_out=left_out)
    text = " ".join((caption, rule, legend([*handles, *(header.text for header in headers)])))
    figure.supxlabel(fill_lines(" ".join(text.split()), size[0]), fontsize=8)
    return figure


def outer_labels(figure: Figure, across: str, up: str) -> None:
    """Name both axes once: below the lowest panel of every column, and beside the first of every row."""
    shown = [axis for axis in figure.axes if axis.axison]
    columns = min(PANELS, len(shown))
    for number, axis in enumerate(shown):
        if number + columns >= len(shown):
            axis.set_xlabel(across, fontsize=8)
        if number % columns == 0:
            axis.set_ylabel(up, fontsize=8)


def plain(axis: Axes, grid: Any) -> None:
    """A light grid, small numbers, no frame above and to the right."""
    axis.grid(axis=grid, alpha=0.3)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def plain_logarithm(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis whose lines are drawn: more of them where it spans less."""
    from matplotlib.ticker import LogLocator, NullLocator

    low, high = axis.get_view_interval()
    steps = next((steps for span, steps in TICKS if high < span * low), (1.0,))
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_locator(NullLocator())


def everyone(entries: Entries) -> Cast:
    """All lines named, in the order of their names."""
    floors = {line for (_, line), entry in entries.items() if entry.floor}
    lines = sorted({line for _, line in entries})
    return Cast(
        models=tuple(line for line in lines if line not in floors),
        floors=tuple(line for line in lines if line in floors),
        others=0,
    )


def texts(lines: Sequence[Key]) -> dict[Key, str]:
    """The names of lines, with their marks."""
    return {line: header.text for line, header in zip(lines, line_headers(lines), strict=True)}


def marked_texts(entries: Entries) -> dict[Key, str]:
    """The names of all lines, those marked that have stale runs somewhere."""
    stale = {line for (_, line), entry in entries.items() if "stale" in entry.flags}
    names = texts(sorted({line for _, line in entries}))
    return {line: f"{name} {MARKS['stale'][0]}" if line in stale else name for line, name in names.items()}
