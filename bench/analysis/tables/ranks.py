"""The table ``ranks``: which models lead over all data sets of a block, and whether these are enough to say so."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.analysis.grouping import BLOCK, DATA, Entries, Entry, Key
from bench.analysis.results import Runs
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
from bench.analysis.table import MINUS, Block, Cell, Header, Score, Table
from bench.analysis.tables.scores import block_title, digits, line_headers
from bench.runs.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

NAME, TITLE = "ranks", "Which models lead over all data sets?"
COLUMNS = ("average rank", "average rank by RMSE", "wins / ties / losses", "skill, %", "p against the first")
LONG = (
    *BLOCK,
    "line",
    "average_rank",
    "average_rank_rmse",
    "wins",
    "ties",
    "losses",
    "skill",
    "p",
    "holm",
    "first",
    "datasets",
)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What of a block can be ranked.

    Attributes:
        scores: MAE at printed precision, data sets x lines; no gaps. May be too small to rank.
        exact: The same at full precision.
        rmse: RMSE at printed precision, of the same lines and data sets.
        floors: The best floor's MAE by data set; NaN without one.
        headers: By line, in the scores' order.
        left_out: Who and what does not take part, each with its reason.
        quick: Whether it is of the quick profile.
    """

    scores: pd.DataFrame
    exact: pd.DataFrame
    rmse: pd.DataFrame
    floors: pd.Series[float]
    headers: Mapping[str, Header]
    left_out: tuple[str, ...]
    quick: bool

    @property
    def enough(self) -> bool:
        datasets, models = self.scores.shape
        return not self.quick and datasets >= FEWEST_DATASETS and models >= FEWEST_MODELS


def standing(place: Key, entries: Entries) -> Standing:
    """The largest complete part of a block: real data, current runs, no floors among the ranked."""
    import pandas as pd

    lines = sorted({line for (_, line), entry in entries.items() if not entry.floor})
    data = sorted({key for key, _ in entries})
    real = _one_version([key for key in data if not _fact(key, "stand_in")], entries)
    headers = {header.name: header for header in line_headers(lines)}
    names = dict(zip(lines, headers, strict=True))
    table, rmse = (
        pd.DataFrame(
            [[_score(entries.get((key, line)), metric) for line in lines] for key in real],
            index=pd.Index([str(key[0]) for key in real], dtype=str),
            columns=[names[line] for line in lines],
            dtype=float,
        )
        for metric in ("mae", "rmse")
    )
    stand_ins = sum(bool(_fact(key, "stand_in")) for key in data)
    left_out = [f"{stand_ins} of {len(data)} data sets (stand-ins)"] if stand_ins else []
    table, dropped = _complete(table)
    beside = rmse.loc[table.index, table.columns]
    floors = {str(key[0]): _best_floor(entries, key) for key in real}
    return Standing(
        scores=_printed(table) if len(table.columns) else table,
        exact=table,
        rmse=_printed(beside) if len(table.columns) and not beside.isna().to_numpy().any() else beside,
        floors=pd.Series(floors, dtype=float).reindex(table.index),
        headers={name: headers[name] for name in table.columns},
        left_out=(*left_out, *dropped),
        quick=dict(zip(BLOCK, place, strict=True))["profile"] == "quick",
    )


def _printed(table: pd.DataFrame) -> pd.DataFrame:
    """Errors at the precision that tables show, so that what prints alike is a tie."""
    import pandas as pd

    return pd.DataFrame([row.round(digits(float(row.min()))) for _, row in table.iterrows()], columns=table.columns)


def make_ranks(runs: Runs, layouts: Sequence[Layout]) -> Table:
    """The table of all layouts that do not compare variants or lay published numbers beside."""
    import pandas as pd

    found = standings(runs, layouts)
    rows = {place: _rows(place, each) if each.enough else [] for place, each in found.items()}
    return Table(
        name=NAME,
        title=TITLE,
        blocks=tuple(_block(place, each, rows[place]) for place, each in found.items()),
        long=pd.DataFrame([row for each in rows.values() for row in each], columns=list(LONG)),
    )


def standings(runs: Runs, layouts: Sequence[Layout]) -> dict[Key, Standing]:
    """By block, those of plain suites alone."""
    return {place: standing(place, entries) for place, entries in runs.plain_cells(layouts).items()}


def notes(each: Standing) -> tuple[str, ...]:
    """What a reader must know of a ranking, the number of data sets that a claim would need among it."""
    left = [f"Left out: {'; '.join(each.left_out)}."] if each.left_out else []
    n, k = each.scores.shape
    if each.quick:
        return ("Quick profile: the budgets are small, so nothing is ranked.",)
    if not each.enough:
        few = f"No ranking: it takes {FEWEST_DATASETS} real data sets on which {FEWEST_MODELS} models have current runs"
        return (f"{few}; there are {n} with {k}.", *left)
    found = [f"MAE, means over seeds, on {n} data sets: {', '.join(map(str, each.scores.index))}.", *left]
    if k >= FRIEDMAN_MODELS:
        test = friedman(each.scores)
        found.append(
            f"Friedman's test that all are alike: {_p(test.p, 'p')}, its statistic {test.chi2:.2f}; Nemenyi's critical "
            f"difference of two average ranks at {LEVEL}: {critical_difference(k, n):.2f}."
        )
    return (*found, _needed(n, k), _EXPLAINED)


_EXPLAINED = (
    "Wins, ties and losses are counted over data sets and rivals; a tie is what prints alike. Skill: 1 - error / error "
    "of the best floor, mean over data sets; floors are not ranked. p: Wilcoxon's signed-rank test over data sets, "
    "by the ratio of the errors, against the model of the best average rank, corrected by Holm for all pairs. All of "
    "this by MAE; the rank by RMSE stands beside it."
)


def _needed(n: int, k: int) -> str:
    needed = datasets_for_a_claim(pairs(k))
    text = f"With {pairs(k)} pairs to compare, a claim needs {needed} data sets at least, and all must agree; "
    return text + (f"with {n} no p can fall below {LEVEL}, whatever the truth." if n < needed else f"here are {n}.")


def _block(place: Key, each: Standing, found: Sequence[Mapping[str, Any]]) -> Block:
    if not each.enough:
        return Block(title=block_title(place), notes=notes(each), datasets=(), models=(), cells=(), metrics={})
    rows = sorted(found, key=lambda row: (row["average_rank"], row["line"]))
    texts = [_texts(row) for row in rows]
    return Block(
        title=block_title(place),
        notes=notes(each),
        datasets=tuple(Header(name=name) for name in COLUMNS),
        models=tuple(each.headers[row["line"]] for row in rows),
        cells=tuple(
            tuple(Cell(scores={"ranks": Score(text=text[column])}) for text in texts) for column in range(len(COLUMNS))
        ),
        metrics={"ranks": f"MAE over {len(each.scores)} data sets"},
        models_down=True,
    )


def _texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    gained = "—" if math.isnan(row["skill"]) else f"{100 * row['skill']:.1f}".replace("-", MINUS)
    return (
        f"{row['average_rank']:.2f}",
        "—" if math.isnan(row["average_rank_rmse"]) else f"{row['average_rank_rmse']:.2f}",
        f"{row['wins']} / {row['ties']} / {row['losses']}",
        gained,
        "first" if row["line"] == row["first"] else _p(row["holm"]),
    )


def _rows(place: Key, each: Standing) -> list[dict[str, Any]]:
    average, counts, tested = average_ranks(each.scores), win_tie_loss(each.scores), pairwise(each.exact)
    gained, by_rmse = skill(each.exact, each.floors).mean(), average_ranks(each.rmse)
    gaps = bool(each.rmse.isna().to_numpy().any())
    first = min(average.index, key=lambda line: (average[line], line))
    places = {line: next((pair for pair in tested.index if {*pair} == {line, first}), None) for line in average.index}
    return [
        {
            **dict(zip(BLOCK, place, strict=True)),
            "line": line,
            "average_rank": float(average[line]),
            "average_rank_rmse": math.nan if gaps else float(by_rmse[line]),
            "wins": counts[line].wins,
            "ties": counts[line].ties,
            "losses": counts[line].losses,
            "skill": float(gained[line]),
            **{name: math.nan if pair is None else float(tested[name][pair]) for name in ("p", "holm")},
            "first": first,
            "datasets": ";".join(map(str, each.scores.index)),
        }
        for line, pair in places.items()
    ]


def _complete(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the line or the data set with the largest share of gaps, a line if alike, until there are none."""
    dropped = []
    while table.isna().to_numpy().any():
        lines, data = table.isna().mean(), table.isna().mean(axis=1)
        if lines.max() >= data.max():
            name = str(lines.idxmax())
            dropped.append(f"{name} (current runs on {int(table[name].count())} of {len(table)} data sets)")
            table = table.drop(columns=[name])
        else:
            where = int(data.to_numpy().argmax())
            dropped.append(
                f"{table.index[where]} (current runs of {int(table.iloc[where].count())} of {table.shape[1]} models)"
            )
            table = table.iloc[[row for row in range(len(table)) if row != where]]
    return table, dropped


def _one_version(data: Sequence[Key], entries: Entries) -> list[Key]:
    """No data set counts twice: of several versions the one with the most runs."""
    runs = {key: sum(entry.seeds for (place, _), entry in entries.items() if place == key) for key in data}
    chosen = {key[0]: key for key in sorted(data, key=lambda key: (runs[key], key))}
    return sorted(chosen.values())


def _score(entry: Entry | None, metric: str) -> float:
    return entry.mean(metric) if entry is not None and entry.ranked else math.nan


def _best_floor(entries: Entries, data: Key) -> float:
    means = (entry.mean("mae") for (key, _), entry in entries.items() if key == data and entry.floor and entry.ranked)
    return min((mean for mean in means if math.isfinite(mean)), default=math.nan)


def _fact(data: Key, name: str) -> Any:
    return data[DATA.index(name)]


def _p(value: float, name: str = "") -> str:
    text = "< 0.001" if value < 0.001 else f"{value:.3f}"
    return text if not name else f"{name} {text}" if text[0] == "<" else f"{name} = {text}"
