"""How the error grows with the step of the forecast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from bench.analysis.figures._panels import Styles, draw_curve, highlighted, panels
from bench.analysis.figures._style import whole_numbers
from bench.analysis.groups import MethodKey, Summary
from bench.analysis.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(results: Results) -> Iterator[Figure]:
    """For each group: MAE by step, a panel per data set; thick the mean, thin the seeds."""
    for group in results.pooled_groups():
        several = any(cell.seeds > 1 for cell in group.cells.values())
        caption = f"MAE at each step alone. {'Thick: mean over seeds; thin: seeds' if several else 'One seed'}"
        title = f"How does the error grow with the step of the forecast?\n{group.key.title}"
        chosen = highlighted(group)
        all_named = len(chosen.methods) == len(group.methods)
        grey = "; grey: naive baselines." if all_named else "."  # else the rule says what is grey
        yield from panels(group, chosen, title, caption + grey, _draw_panel, ("forecast step", "MAE"))


def _draw_panel(axis: Axes, cells: Mapping[MethodKey, Summary], styles: Styles) -> None:
    for method, cell in cells.items():
        draw_curve(axis, styles.get(method), cell.mean_curve, cell.curves)
    whole_numbers(axis.xaxis)
