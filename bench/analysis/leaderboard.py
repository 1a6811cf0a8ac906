"""The leaderboard that a command prints when it ends: who is ahead in what was just run, the best first.

It shows whatever there is, naive baselines and synthetic data too, and tests nothing: what may be claimed is in the
tables. Forecasts made elsewhere stand among the others, but have no rank and take none from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import fmean
from typing import TYPE_CHECKING

from bench.analysis.budget import budget_note
from bench.analysis.groups import Group
from bench.analysis.headers import decimals, method_headers
from bench.analysis.standings import Standing, standing
from bench.analysis.stats.ranking import average_ranks, skill
from bench.analysis.table import MINUS, Cell, Header, Table

if TYPE_CHECKING:
    import pandas as pd


def leaderboard(group: Group) -> Table | None:
    """Methods by average rank over data sets, or by MAE on a single one; None if nothing is complete."""
    ranked = standing(group, everyone=True)
    datasets, methods = ranked.scores.shape
    if not datasets or not methods:
        return None
    first = "MAE" if datasets == 1 else "average rank"
    order = ranked.exact.iloc[0] if datasets == 1 else average_ranks(_ours(ranked)).reindex(ranked.scores.columns)
    skills, seconds = skill(ranked.exact, ranked.naive).mean(), _seconds(group)
    names = sorted(map(str, order.index), key=lambda name: (math.isnan(order[name]), order[name], name))
    digits = decimals(float(order.min())) if datasets == 1 else 2
    rows = [(_number_text(order[name], digits), skills[name], name) for name in names]
    return Table(
        key="leaderboard",
        heading=f"Leaderboard: task {group.key.task}, profile {group.key.profile}",
        corner="method",
        rows=tuple(ranked.headers[name] for name in names),
        columns=tuple(Header(name=name) for name in (first, "skill, %", "s a run")),
        cells=tuple(
            (Cell(value=place), Cell(value=_percent(float(share))), Cell(value=_number_text(seconds[name], 1)))
            for place, share, name in rows
        ),
        notes=tuple(_notes(group, ranked)),
        text_flags=("synthetic",) if _synthetic(group, ranked) else (),
    )


def _ours(ranked: Standing) -> pd.DataFrame:
    """The scores of those that have a rank: all but forecasts made elsewhere."""
    return ranked.scores[[name for name in ranked.scores.columns if "external" not in ranked.headers[name].flags]]


def _notes(group: Group, ranked: Standing) -> Iterator[str]:
    names, synthetic = list(ranked.titles.values()), _synthetic(group, ranked)
    on = names[0] if len(names) == 1 else f"{len(names)} data sets"
    seeds = max(cell.seeds for cell in group.cells.values())
    means = f", means over {seeds} seeds" if seeds > 1 else ""
    by = "unrounded MAE" if len(names) == 1 else "average rank in MAE"
    yield f"By {by} on {on}{f' ({synthetic} synthetic †)' if synthetic else ''}{means}."
    yield "Skill: 1 - MAE / MAE of the best naive baseline, mean over data sets."
    if budget := budget_note(group):
        yield budget
    if group.key.quick:
        yield "Quick profile: ranks mean nothing."
    if ranked.left_out:
        yield f"Left out: {'; '.join(ranked.left_out)}."


def _synthetic(group: Group, ranked: Standing) -> int:
    """How many of the data sets are synthetic."""
    return sum(data.synthetic and data.dataset in ranked.scores.index for data in group.datasets)


def _seconds(group: Group) -> dict[str, float]:
    """Of a run, mean over data sets, by the name of the method; of those that have finished runs."""
    names = {method: header.plain for method, header in method_headers(group.methods, group.naive).items()}
    seconds: dict[str, list[float]] = {}
    for (_, method), cell in group.cells.items():
        if cell.runs:
            seconds.setdefault(names[method], []).append(cell.cost("wall_s"))
    return {name: fmean(values) for name, values in seconds.items()}


def _number_text(number: float, digits: int) -> str:
    return "—" if math.isnan(number) else f"{number:.{digits}f}"


def _percent(share: float) -> str:
    return "—" if math.isnan(share) else f"{round(100 * share, 1) + 0.0:.1f}".replace("-", MINUS)  # no -0.0
