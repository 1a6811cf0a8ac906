"""How each model learns: validation errors by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from bench.analysis.figures._panels import Styles, draw_curve, highlighted, panels
from bench.analysis.figures._style import plain_logarithm, whole_numbers
from bench.analysis.groups import MethodKey, Summary
from bench.analysis.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST_EPOCHS = 2  # that make a curve
CAPTION = (
    "MAE on validation after each epoch (logarithmic). Thick: mean over seeds, as far as all were trained; thin: "
    "seeds; rings: each seed's best epoch, whose weights are scored on test. The training loss, of scaled "
    "values, shares no axis with it; the records hold it."
)
ONE_SEED = CAPTION.replace(
    "Thick: mean over seeds, as far as all were trained; thin: seeds; rings: each seed's", "Rings: the"
)

SOURCES = "Errors are in units of the scaler, those of epochs on other data sets on their validation."
NEEDS = "a run that was trained for at least two epochs"


def draw(results: Results) -> Iterator[Figure]:
    """For each group: validation MAE by epoch, a panel per data set; thick means, thin seeds, rings the best epochs."""
    for group in results.pooled_groups():
        cells = {key: trained for key, cell in group.cells.items() if (trained := _trained(cell)).runs}
        if cells:
            title = f"How does each model learn?\n{group.key.title}"
            labels = ("epoch", "validation MAE")
            caption = CAPTION if any(cell.seeds > 1 for cell in cells.values()) else ONE_SEED
            caption = f"{caption} {SOURCES}" if group.key.sources else caption
            yield from panels(replace(group, cells=cells), highlighted(group), title, caption, _draw_panel, labels)


def _trained(cell: Summary) -> Summary:
    return replace(cell, runs=tuple(run for run in cell.runs if len(run.curve) >= FEWEST_EPOCHS))


def _draw_panel(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    for method, cell in cells.items():
        curves = [[epoch.val_mae for epoch in run.curve] for run in cell.runs]
        mean = [fmean(values) for values in zip(*curves, strict=False)]  # to the end of the shortest
        draw_curve(axis, styles.get(method), mean, curves)
        for curve in curves if method in styles else ():
            best, colour = curve.index(min(curve)), styles[method]["color"]
            axis.plot(best + 1, curve[best], "o", color=colour, markersize=6, markerfacecolor="none")
    axis.set_yscale("log")
    plain_logarithm(axis.yaxis)
    whole_numbers(axis.xaxis)
