"""How the variants of a suite differ from its reference, one panel per data set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from bench.analysis.differences import Differences
from bench.analysis.figures._style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE,
    add_caption,
    dataset_axes,
    fit_height,
    is_narrow,
    new_figure,
    pages,
)
from bench.analysis.groups import MethodKey
from bench.analysis.headers import method_headers
from bench.analysis.lines import wrapped
from bench.analysis.results import Results
from bench.analysis.stats.comparison import Difference, Verdict
from bench.analysis.stats.lasting import LASTING
from bench.analysis.table import MINUS
from bench.runs.suite import Suite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS, NARROW_PANELS = 3, 1  # side by side on a page, and in one column of it
TALL = 8.6  # inches: what fits a page
ROW, AROUND = 0.19, 0.55  # inches of a method, and about what the texts around a panel take
LONGEST_LABEL = 22  # letters of an axis beside others
MOST_TICKS = 6  # of an axis that is not linear
ROUND = [digit * 10.0**power for power in range(-1, 7) for digit in (1, 2, 5)]
WIDE, LINEAR = 20, 5  # margins: from where on large differences are drawn closer, and up to where none are
COLOURS: Mapping[Verdict, str] = {"better": ORANGE, "worse": BLUE, "equivalent": GREEN, "open": GREY}
MARKERS: Mapping[Verdict, str] = {"better": "o", "worse": "o", "equivalent": "s", "open": "o"}
NEEDS = (
    "a suite with a reference, and finished runs beside it; without variants, of a profile that lets something be "
    "claimed"
)


def draw(results: Results, suite: Suite) -> Iterator[Figure]:
    """For each group: by how much more or less than the reference every variant errs."""
    for key, differences in results.differences(suite).items():
        title = f"{suite.question}\n{key.title}".strip()
        rows = TALL / (ROW * len(differences.methods) + AROUND)
        for page in pages(differences.datasets, _panels(), rows):
            cells = {key: cell for key, cell in differences.cells.items() if key[0] in page}
            yield _figure(title, _caption(differences, suite.margin), replace(differences, cells=cells))


def _panels() -> int:
    return NARROW_PANELS if is_narrow() else PANELS


def _figure(title: str, caption: str, shown: Differences) -> Figure:
    datasets, methods = shown.datasets, _in_order(shown)
    columns = min(_panels(), len(datasets))
    rows, linear = -(-len(datasets) // columns), _linear_to(shown)
    figure = new_figure(title, TALL)
    axes = dataset_axes(figure, datasets, columns, sharey=True)
    for data, axis in axes.items():
        _draw_panel(axis, [shown.cells.get((data, method)) for method in methods], linear=linear)
    across = f"MAE, % more than {shown.title}{shown.mark}"
    for axis in [*axes.values()][-columns:]:
        axis.set_xlabel(wrapped(across, LONGEST_LABEL, cut=True) if columns > 1 else across)
    first, names = axes[datasets[0]], [header.text for header in method_headers(methods).values()]
    first.set_yticks(range(len(methods)), names)
    first.set_ylim(len(methods) - 0.5, -0.5)
    if linear is not None:
        caption = f"{caption} The axis is linear up to ± {linear:g} %, and logarithmic from there."
    fit_height(figure, rows * ROW * len(methods))
    add_caption(figure, caption, [caption, *names, *(axis.get_title() for axis in axes.values())])
    return figure


def _in_order(shown: Differences) -> list[MethodKey]:
    """Variants as the suite has them; models that no suite puts in order by their mean difference."""
    percents: dict[MethodKey, list[float]] = {}
    for (_, method), cell in shown.cells.items():
        percents.setdefault(method, []).append(cell.percent)
    return sorted(shown.methods, key=lambda method: (method.order, 0.0 if method.order else fmean(percents[method])))


def _linear_to(shown: Differences) -> float | None:
    """Up to which difference the axis is linear; None if it is so everywhere.

    Some differences may be so large that small ones could not be read beside them.
    """
    margin = max(cell.margin for cell in shown.cells.values())
    return LINEAR * margin if any(abs(cell.percent) > WIDE * margin for cell in shown.cells.values()) else None


def _draw_panel(axis: Axes, row_by_row: Sequence[Difference | None], *, linear: float | None) -> None:
    if linear is not None:
        axis.set_xscale("symlog", linthresh=linear)
    axis.axvline(0, color="black", linewidth=0.8)
    for margin in {difference.margin for difference in row_by_row if difference}:
        axis.axvspan(-margin, margin, color=PALE, alpha=0.5, linewidth=0, zorder=0)
    for row, difference in enumerate(row_by_row):
        if difference is None:
            axis.text(0.5, row, "—", transform=axis.get_yaxis_transform(), ha="center", va="center", color=GREY)
        else:
            _draw_row(axis, row, difference)
    if linear is None:
        axis.locator_params(axis="x", nbins=4)
    else:
        axis.set_xticks(_ticks(axis))
        axis.set_xticks([], minor=True)
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:+g}".replace("-", MINUS) if value else "0")


def _ticks(axis: Axes) -> list[float]:
    """On both sides the largest round number that the axis reaches, and further ones inwards where there is room."""
    place, (low, high) = axis.xaxis.get_transform().transform, axis.get_xlim()
    room = float(place(high) - place(low)) / MOST_TICKS
    ticks = [0.0]
    for sign, reach in ((-1, -low), (1, high)):
        last = math.inf
        for number in reversed(ROUND):
            at = float(place(number))
            if number <= reach and room <= at <= last - room:
                ticks.append(sign * number)
                last = at
    return sorted(ticks)


def _draw_row(axis: Axes, row: int, difference: Difference) -> None:
    verdict = difference.verdict
    colour, filled = COLOURS[verdict], verdict != "open"
    if difference.uncertainty is not None:
        axis.plot(difference.interval, [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
    axis.plot(
        difference.percent,
        row,
        MARKERS[verdict],
        color=colour,
        markersize=4.5,
        markerfacecolor=colour if filled else "w",
    )
    if len(difference.seeds) > 1:
        axis.plot(difference.seeds, [row + 0.25] * len(difference.seeds), "|", color=colour, markersize=4)


def _caption(differences: Differences, margin: float) -> str:
    text = (
        f"Mean absolute error, % more than {differences.name} (right: the reference is better). Bars: 95 % intervals "
        f"over seeds and test windows, whose noise may be halved in up to {LASTING:g} hours; ticks: seeds of the "
        f"method against the reference's mean. Filled circles: better or worse (p < 0.05, corrected); squares: "
        f"equivalent, within ± {margin:g} % (shaded); empty: open, or synthetic data or a profile without claims."
    )
    return " ".join((text, *differences.caveats))
