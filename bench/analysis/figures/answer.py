"""The answer in one figure: what taking the pre-trained weights away changes, and the error against the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from bench.analysis.answer import ASKED, Answer, answer
from bench.analysis.figures._panels import highlighted, line_styles, method_names
from bench.analysis.figures._style import GREY, PALE, add_caption, is_narrow, new_figure, plain
from bench.analysis.figures.fractions import by_fraction, draw_panel, merged
from bench.analysis.groups import Group
from bench.analysis.headers import dataset_headers
from bench.analysis.results import Results
from bench.analysis.stats.lasting import LASTING
from bench.analysis.table import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CURVES = "data_efficiency"  # the suite whose errors are drawn against the data
MOST_CURVES = 2  # data sets of it, the first ones
MOST_TICKS = 3  # below a curve
NARROW_NAMES, NAMES = 2, 4  # side by side in one column of a page, and across a page
PANEL, LEGEND = 1.8, 0.3  # inches of a panel at least, and of a line of names above all
SIGNS = "osD^v"  # of the methods; their colours belong to the curves beside
APART, TOGETHER = 0.22, 0.8  # of a row: between the methods on one data set at most, and all of them together
LINE, FEWEST_LINES = 0.13, 3  # inches of a method on a data set, and for how many there is room at least
NEEDS = "runs of ST-VFM beside others in a profile that lets something be claimed, such as paper"


def draw(results: Results) -> Iterator[Figure]:
    """One figure, if the question was asked in a profile that lets something be claimed."""
    outcome = answer(results)
    if outcome is None:
        return
    curves = curves_of(results, outcome)
    across = 1 + len({data for group in curves for data in group.datasets})
    rows, columns = (across, 1) if is_narrow() else (1, across)
    height = 0.9 + LINE * max(FEWEST_LINES, len(outcome.methods)) * len(outcome.datasets)
    figure = new_figure(f"{outcome.suite.question}\n{outcome.key.title}", rows * max(height, PANEL) + LEGEND)
    ratios = None if is_narrow() else [1.4, *[1.0] * (across - 1)]
    left, *right = figure.subplots(rows, columns, squeeze=False, width_ratios=ratios).flatten()
    _draw_differences(left, outcome)
    handles, labels = left.get_legend_handles_labels()
    beside = NARROW_NAMES if is_narrow() else NAMES
    figure.legend(handles, labels, loc="outside upper left", frameon=False, ncols=beside)
    names = _draw_curves(figure, right, curves) if curves else []
    names += [text.get_text() for text in left.get_yticklabels()]
    add_caption(figure, _caption(outcome, curves), names)
    yield figure


def curves_of(results: Results, outcome: Answer) -> list[Group]:
    """A group for each share of the data, of the same profile, with few of the data sets that have a curve; or none."""
    suite = next((suite for suite in results.suites if suite.name == CURVES), None)
    for groups in by_fraction(results.groups(suite)) if suite else ():
        if groups[0].key.profile == outcome.key.profile:
            first = dict.fromkeys(data for group in groups for data in group.datasets)  # those of the smallest share
            return [group.on([*first][:MOST_CURVES]) for group in groups]
    return []


def _draw_differences(axis: Axes, outcome: Answer) -> None:
    """A row for each data set, in it an interval for each method."""
    names = [header.text for header in dataset_headers(outcome.datasets).values()]
    rows = {data: row for row, data in enumerate(outcome.datasets)}
    axis.axvline(0, color="black", linewidth=0.8)
    apart = min(APART, TOGETHER / len(outcome.methods))
    present = {data: [method for method in outcome.methods if data not in outcome.absent(method)] for data in rows}
    signs = dict(zip(ASKED, SIGNS, strict=True))
    for method in outcome.methods:
        marker = signs[method.name]
        for data, difference in outcome.of(method):
            at = rows[data] + apart * (present[data].index(method) - (len(present[data]) - 1) / 2)
            look: dict[str, Any] = {
                "color": GREY,
                "markersize": 4,
                "markerfacecolor": "w" if difference.verdict == "open" else GREY,
            }
            if difference.uncertainty is not None:
                axis.plot(difference.interval, [at] * 2, color=GREY, linewidth=1.2)
            axis.plot(difference.percent, at, marker, **look)
        filled = any(difference.verdict != "open" for _, difference in outcome.of(method))
        look = {"color": GREY, "markersize": 4, "markerfacecolor": GREY if filled else "w"}
        axis.plot([], [], f"{marker}-", linewidth=1.2, label=method.name, **look)
    if any(difference.verdict == "open" for method in outcome.methods for _, difference in outcome.of(method)):
        axis.plot([], [], "o", color=GREY, markersize=4, markerfacecolor="w", label="empty: open")
    margin = outcome.suite.margin
    axis.axvspan(-margin, margin, color=PALE, alpha=0.5, linewidth=0, zorder=0, label=f"within ± {margin:g} %")
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.set_xlabel("MAE, % more than pre-trained")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:+g}".replace("-", MINUS) if value else "0")
    plain(axis, "x")


def _draw_curves(figure: Figure, axes: list[Axes], groups: list[Group]) -> list[str]:
    """A panel for each data set, and one legend; returns the names in it."""
    group = merged(groups)
    styles, names = line_styles(highlighted(*groups)), method_names(group, group.stale)
    for axis, data, header in zip(axes, group.datasets, dataset_headers(group.datasets).values(), strict=True):
        draw_panel(axis, group.of(data), styles)
        axis.set_title(header.text)
        axis.set_xlabel("training windows, %")
        ticks = axis.get_xticks()
        if len(ticks) > MOST_TICKS:
            ticks = ticks[::-2][::-1]  # every other, and the last: a panel is small
        axis.set_xticks(ticks, [f"{share:g}" for share in ticks])
        plain(axis)
    axes[0].set_ylabel("MAE")
    handles = [axes[0].plot([], [], label=names[method], **style)[0] for method, style in styles.items()]
    position: dict[str, Any] = {"loc": "outside right center", "ncols": 1}
    if is_narrow():
        position = {"loc": "outside lower center", "ncols": NARROW_NAMES}
    figure.legend(handles=handles, frameon=False, handlelength=2.4, **position)
    return list(names.values())


def _caption(outcome: Answer, curves: list[Group]) -> str:
    text = (
        f"How much more each control errs than “{outcome.compared.title}” (right: pre-trained weights are better), "
        f"by data set. Bars: 95 % intervals over seeds and test windows, whose noise may be halved in up to "
        f"{LASTING:g} hours; shaded: within ± {outcome.suite.margin:g} %; empty: open. {outcome.caveat}"
    )
    if not curves:
        return text
    rule = highlighted(*curves).rule(merged(curves).methods)
    text += " Beside it: MAE by the share of the training windows used, with 95 % t-intervals over seeds"
    return f"{text}, as far as the methods in colour reach. {rule}" if rule else f"{text}."
