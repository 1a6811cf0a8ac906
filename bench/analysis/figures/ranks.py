"""Who leads over all data sets: critical-difference diagrams (Demšar 2006)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.analysis.figures._style import BLUE, GREY, ORANGE, add_caption, is_narrow, new_figure, plain
from bench.analysis.results import Results
from bench.analysis.standings import Standing, standing
from bench.analysis.stats.ranking import (
    FRIEDMAN_MODELS,
    LEVEL,
    average_ranks,
    cliques,
    critical_difference,
    datasets_for_a_claim,
    friedman,
    pairs,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NEEDS = "finished runs of several models on several real data sets"


def draw(results: Results) -> Iterator[Figure]:
    """For each group: average ranks, and bars over models that Nemenyi's test does not tell apart."""
    for key, group in results.plain_groups().items():
        ranked = standing(group)
        if ranked.enough and ranked.scores.shape[1] >= FRIEDMAN_MODELS:
            yield _figure(f"Which models lead over all data sets?\n{key.title}", ranked)


def _figure(title: str, ranked: Standing) -> Figure:
    (datasets, models), average = ranked.scores.shape, average_ranks(ranked.scores).sort_values(kind="stable")
    names = [ranked.headers[str(model)].text for model in average.index]
    figure = new_figure(title, 0.75 + 0.19 * models)
    axis = figure.subplots()
    _draw_ranks(axis, average, critical_difference(models, datasets))
    axis.set_yticks(range(models), names)
    axis.set_xlabel("average rank by MAE")
    plain(axis, "x")
    add_caption(figure, _caption(ranked), names)
    return figure


def _draw_ranks(axis: Axes, average: pd.Series[float], difference: float) -> None:
    """Models down, the best on top; the scale of a critical difference above them and bars to the right."""
    models = len(average)
    axis.hlines(range(models), 1, average, color=GREY, linewidth=0.6, alpha=0.5)
    axis.plot(average, range(models), "o", color=BLUE, markersize=5)
    rows = {str(model): row for row, model in enumerate(average.index)}
    for number, clique in enumerate(cliques(average, difference)):
        ends, x = [rows[clique[0]] - 0.2, rows[clique[-1]] + 0.2], 1.02 + (0.03 if is_narrow() else 0.015) * number
        side = axis.get_yaxis_transform()
        axis.plot([x, x], ends, color="black", linewidth=1.8, clip_on=False, transform=side)
    axis.errorbar(1 + difference / 2, -1, xerr=difference / 2, color=ORANGE, capsize=4)
    axis.text(1, -1.3, f"critical difference {difference:.2f}", va="bottom", color=ORANGE)
    axis.set(xlim=(0.9, max(models, 1 + difference) + 0.2), ylim=(models - 0.5, -2.0))


def _caption(ranked: Standing) -> str:
    models, p = ranked.scores.shape[1], friedman(ranked.scores)[1]
    return (
        f"Average rank by MAE on real data, {ranked.witnesses.text} (1: the best). Bars join models that Nemenyi's "
        f"test does not tell apart at {LEVEL}; Friedman's test: p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}. A claim "
        f"about two models by Wilcoxon's test, corrected for all pairs, takes {datasets_for_a_claim(pairs(models))} "
        f"data sets at least. {ranked.witnesses.related}"
    ).strip()
