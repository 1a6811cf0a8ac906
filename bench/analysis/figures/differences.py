"""Figures as pure functions of the runs of a frame, and the files they are written to."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from bench.analysis.differences import Compared, Differences
from bench.analysis.figures.style import BLUE, FORMATS, GREY, ORANGE, Picture, Step, picture, plain_text, write_pictures
from bench.analysis.grouping import Key
from bench.analysis.results import Runs
from bench.analysis.stats.comparison import FEWEST_SEEDS
from bench.analysis.table import MARKS, MINUS
from bench.analysis.tables.scores import block_title, dataset_headers, line_headers
from bench.runs.layout import Layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 4  # side by side
HEAD = 1.5  # inches for title and caption
TALL = 1.4  # times its width: what fits a page
NUMBERED = re.compile(r"(.+)-\d+")  # the name of a file
Overview = tuple[str, Callable[[Runs], "list[Figure]"]]
"""What the files are called, and who draws them."""


def pictures(
    runs: Runs,
    layouts: Sequence[Layout],
    overviews: Sequence[Overview] = (),
    *,
    formats: Sequence[str] = FORMATS,
    step: Step = lambda _: None,
) -> Iterator[Picture]:
    """Every figure under the name ``<name>-<n>``: one for each block of a table that compares, and those over suites.

    ``step`` is told what is being drawn, as that takes seconds.
    """
    own: list[Overview] = [(layout.name, partial(difference_figures, layout=layout)) for layout in layouts]
    for name, draw in (*own, *overviews):
        step(f"figures: {name}")
        with plain_text():
            drawn = [picture(f"{name}-{number}", each, formats) for number, each in enumerate(draw(runs), start=1)]
        yield from drawn


def write_figures(
    runs: Runs, folder: Path, layouts: Sequence[Layout], overviews: Sequence[Overview] = ()
) -> list[Path]:
    """Write ``pictures`` as files and drop those of these names that are no longer drawn.

    Returns:
        The files written.

    Raises:
        StoreError: If the folder cannot be written.
    """
    names = {layout.name for layout in layouts} | {name for name, _ in overviews}

    def mine(stem: str) -> bool:
        found = NUMBERED.fullmatch(stem)
        return found is not None and found[1] in names

    return write_pictures(pictures(runs, layouts, overviews), folder, mine)


def difference_figures(runs: Runs, layout: Layout) -> list[Figure]:
    """For each block: by how much more or less than the reference every line errs, one panel per data set."""
    figures = []
    for place, compared in runs.differences(layout).items():
        title = f"{layout.question}\n{block_title(place)}".strip()
        figures += [_figure(title, _caption(compared), own) for own in _pages(compared.found)]
    return figures


def _pages(found: Mapping[tuple[Key, Key], Compared]) -> list[dict[tuple[Key, Key], Compared]]:
    """The comparisons of each figure: as many rows of panels as a page is high."""
    data, lines = (sorted({key[axis] for key in found}) for axis in (0, 1))
    rows = int((TALL * _width(PANELS) - HEAD) / _height(len(lines)))
    size = PANELS * max(1, rows)
    pages = [data[start : start + size] for start in range(0, len(data), size)]
    return [{key: found[key] for key in found if key[0] in page} for page in pages]


def _width(columns: int) -> float:
    return 2.2 + 2.3 * columns


def _height(lines: int) -> float:
    return 0.7 + 0.23 * lines


def _figure(title: str, caption: str, found: Mapping[tuple[Key, Key], Compared]) -> Figure:
    from matplotlib.figure import Figure

    data, lines = (sorted({key[axis] for key in found}) for axis in (0, 1))
    columns = min(PANELS, len(data))
    rows = math.ceil(len(data) / columns)
    size = (_width(columns), HEAD + rows * _height(len(lines)))
    figure = Figure(figsize=size, dpi=200, layout="constrained")
    figure.suptitle(fill_lines(title, size[0]), fontsize=10)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    names = [header.text for header in line_headers(lines)]
    for axis, key, header in zip(axes.flat, data, dataset_headers(data), strict=False):
        _panel(axis, [found.get((key, line)) for line in lines])
        axis.set_title(header.text, fontsize=9)
    axes[0, 0].set_yticks(range(len(lines)), names)
    axes[0, 0].set_ylim(len(lines) - 0.5, -0.5)
    for axis in list(axes.flat)[len(data) :]:
        axis.set_axis_off()
    marks = legend([caption, *names, *(header.text for header in dataset_headers(data))])
    figure.supxlabel(fill_lines(f"{caption} {marks}", size[0]), fontsize=8)
    return figure


def _panel(axis: Axes, found: Sequence[Compared | None]) -> None:
    axis.axvline(0, color="black", linewidth=0.8)
    for row, each in enumerate(found):
        if each is None:
            axis.text(0.5, row, "—", transform=axis.get_yaxis_transform(), ha="center", va="center", color=GREY)
            continue
        value = each.difference
        colour = (ORANGE if value.percent > 0 else BLUE) if each.claimed else GREY
        axis.plot([value.low, value.high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        axis.plot(value.percent, row, "o", color=colour, markersize=5, markerfacecolor=colour if each.claimed else "w")
        if len(value.seeds) > 1:
            axis.plot(list(value.seeds.values()), [row + 0.25] * len(value.seeds), "|", color=colour, markersize=4)
    axis.grid(axis="x", alpha=0.3)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(labelsize=8)
    axis.locator_params(axis="x", nbins=5)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:+g} %".replace("-", MINUS) if value else "0")


def _caption(compared: Differences) -> str:
    text = (
        f"Mean absolute error, % more than {compared.name} (right: the reference is better). Bars: 95 % intervals over "
        f"test windows; ticks: seeds; filled: real data, no quick profile, {FEWEST_SEEDS} seeds or more, and interval, "
        "seeds and corrected test agree."
    )
    return " ".join((text, *compared.caveats))


def legend(texts: Sequence[str]) -> str:
    """The marks that occur in the texts, explained."""
    used = [f"{mark} {meaning}" for mark, meaning in MARKS.values() if any(mark in text for text in texts)]
    return f"{'; '.join(used)}." if used else ""


def fill_lines(text: str, width: float) -> str:
    """Break lines that are longer than a figure is wide, in inches."""
    return "\n".join(fill(line, int(13 * width)) for line in text.splitlines())
