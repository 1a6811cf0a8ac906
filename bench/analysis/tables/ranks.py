"""The table ``ranks``: which models lead over all data sets of a group, and whether these are enough to say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from bench.analysis.groups import Group, GroupKey
from bench.analysis.headers import method_headers, shown_part
from bench.analysis.inputs import inputs_note
from bench.analysis.results import Results
from bench.analysis.standings import Standing, standing
from bench.analysis.stats.ranking import (
    FEWEST_DATASETS,
    FEWEST_MODELS,
    FRIEDMAN_MODELS,
    LEVEL,
    average_ranks,
    critical_difference,
    datasets_for_a_claim,
    friedman,
    pairs,
    pairwise,
    skill,
    win_tie_loss,
)
from bench.analysis.table import MINUS, Cell, Header, Table, TableFile

COLUMNS = ("average rank", "average rank by RMSE", "wins / ties / losses", "skill, %", "p against the first")
MEASURED = ("average_rank", "average_rank_rmse", "wins", "ties", "losses", "skill", "p", "holm", "first", "datasets")
TOO_SURE = "The tests count each data set by itself, so they are rather too sure."
EXPLAINED = (
    "Wins, ties and losses are counted over data sets and rivals; a tie is what prints alike. Skill: 1 - error / error "
    "of the best naive baseline, mean over data sets; naive baselines are not ranked. p: Wilcoxon's signed-rank test "
    "over data sets, by the ratio of the errors, against the model of the best average rank, corrected by Holm for all "
    "pairs. All of this by MAE; the rank by RMSE stands beside it."
)


def make(results: Results) -> TableFile:
    """The table of all suites that do not compare variants or lay published numbers beside."""
    import pandas as pd

    groups = results.plain_groups()
    standings = {key: standing(group) for key, group in groups.items()}
    rows = {key: _rows(ranked) if ranked.enough else [] for key, ranked in standings.items()}
    columns = [*(field.name for field in fields(GroupKey)), "method", *MEASURED]
    long = [{**asdict(key), **row} for key in rows for row in rows[key]]
    return TableFile(
        title="Which models lead over all data sets?",
        tables=tuple(_table(groups[key], ranked, rows[key]) for key, ranked in standings.items()),
        csv={"": pd.DataFrame(long, columns=columns)},
    )


def _table(group: Group, ranked: Standing, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Without a ranking its heading and notes alone."""
    notes = partial(_notes, group, ranked)
    leaderboard = sorted(rows, key=lambda row: (row["average_rank"], row["method"]))
    return Table(
        key="ranks",
        heading=group.key.title,
        corner=f"MAE over {len(ranked.scores)} data sets",
        rows=tuple(ranked.headers[row["method"]] for row in leaderboard),
        columns=tuple(Header(name=name) for name in COLUMNS),
        cells=tuple(tuple(Cell(value=text) for text in _texts(row)) for row in leaderboard),
        notes=notes(frozenset()),
        notes_without=notes,
    )


def _rows(ranked: Standing) -> list[dict[str, Any]]:
    """By method in the order of the scores, at full precision."""
    average, counts, tested = average_ranks(ranked.scores), win_tie_loss(ranked.scores), pairwise(ranked.exact)
    skills, by_rmse = skill(ranked.exact, ranked.naive).mean(), average_ranks(ranked.rmse)
    gaps = bool(ranked.rmse.isna().to_numpy().any())
    first = min(average.index, key=lambda method: (average[method], method))
    rows = []
    for method in average.index:
        against_first = next((pair for pair in tested.index if {*pair} == {method, first}), None)
        row = {
            "method": method,
            "average_rank": float(average[method]),
            "average_rank_rmse": math.nan if gaps else float(by_rmse[method]),
            **dict(zip(("wins", "ties", "losses"), counts[method], strict=True)),
            "skill": float(skills[method]),
            **{
                name: math.nan if against_first is None else float(tested[name][against_first])
                for name in ("p", "holm")
            },
            "first": first,
            "datasets": ";".join(map(str, ranked.scores.index)),
        }
        rows.append(row)
    return rows


def _texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{row['average_rank']:.2f}",
        "—" if math.isnan(row["average_rank_rmse"]) else f"{row['average_rank_rmse']:.2f}",
        f"{row['wins']} / {row['ties']} / {row['losses']}",
        "—" if math.isnan(row["skill"]) else f"{100 * row['skill']:.1f}".replace("-", MINUS),
        "first" if row["method"] == row["first"] else "< 0.001" if row["holm"] < 0.001 else f"{row['holm']:.3f}",
    )


def _notes(group: Group, ranked: Standing, hidden: frozenset[str]) -> tuple[str, ...]:
    unranked = {header.plain for header in method_headers(group.methods).values()} - ranked.headers.keys()
    of_group = (group.caveat, inputs_note(shown_part(group, hidden | unranked))) if ranked.enough else ()
    return (*_ranking_notes(ranked), *filter(None, of_group))


def _ranking_notes(ranked: Standing) -> tuple[str, ...]:
    left_out = [f"Left out: {'; '.join(ranked.left_out)}."] if ranked.left_out else []
    n, k = ranked.scores.shape
    if ranked.quick:
        return ("Quick profile: the budgets are small, so nothing is ranked.",)
    if not ranked.enough:
        few = f"No ranking: it takes {FEWEST_DATASETS} real data sets on which {FEWEST_MODELS} models have current runs"
        return (f"{few}; there {'is' if n == 1 else 'are'} {n} with {k}.", *left_out)
    names = ", ".join(ranked.titles.values())
    related = [f"{ranked.witnesses.related} {TOO_SURE}"] if ranked.witnesses.related else []
    tested = [_tested(ranked)] if k >= FRIEDMAN_MODELS else []
    data = f"MAE, means over seeds, on {ranked.witnesses.text}: {names}."
    return (data, *related, *left_out, *tested, _needed(n, k), EXPLAINED)


def _tested(ranked: Standing) -> str:
    (n, k), (chi2, p) = ranked.scores.shape, friedman(ranked.scores)
    return (
        f"Friedman's test that all are alike: p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}, its statistic "
        f"{chi2:.2f}; Nemenyi's critical difference of two average ranks at {LEVEL}: "
        f"{critical_difference(k, n):.2f}."
    )


def _needed(n: int, k: int) -> str:
    needed, compared = datasets_for_a_claim(pairs(k)), f"{pairs(k)} pair{'' if pairs(k) == 1 else 's'}"
    text = f"With {compared} to compare, a claim needs {needed} data sets at least, and all must agree; "
    return text + (f"with {n} no p can fall below {LEVEL}, whatever the truth." if n < needed else f"here are {n}.")
