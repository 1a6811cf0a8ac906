"""What a reader must know first: what was asked, what is there, who leads, and whether that may be said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.analysis.grouping import BLOCK, Key, Row
from bench.analysis.stats.ranking import LEVEL
from bench.analysis.table import Table
from bench.analysis.tables.scores import block_title
from bench.runs.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Headline:
    """The first page.

    Attributes:
        asked: Titles and questions of the suites that have rows.
        state: How many runs, data sets, models and seeds, in one sentence.
        answers: Who leads, and what came of each question.
        warnings: Why no number may be quoted; empty if some may be.
        cautions: What holds for a part of the runs.
    """

    asked: tuple[str, ...]
    state: str
    answers: tuple[str, ...]
    warnings: tuple[str, ...]
    cautions: tuple[str, ...]


def headline(rows: Sequence[Row], layouts: Sequence[Layout], tables: Sequence[Table]) -> Headline:
    """The first page of these runs and the tables made of them."""
    by_name = {table.name: table for table in tables if table.blocks}
    shown = [layout for layout in layouts if layout.name in by_name]
    done = [row for row in rows if row["status"] == "done"]
    ranks = by_name.get("ranks")
    return Headline(
        asked=tuple(f"{layout.title}. {layout.question}".strip() for layout in shown),
        state=_state(rows, done),
        answers=(
            *_leads(ranks.long if ranks else None),
            *(answer for layout in shown for answer in _answers(layout, by_name[layout.name].differences)),
        ),
        warnings=_warnings(done),
        cautions=_cautions(rows, done),
    )


def _state(rows: Sequence[Row], done: Sequence[Row]) -> str:
    data = {row["dataset"]: row["stand_in"] for row in sorted(done, key=lambda row: not row["stand_in"])}
    models = {row["model"] for row in done if row["role"] != "floor"}
    floors = {row["model"] for row in done if row["role"] == "floor"}
    seeds = {row["seed"] for row in done if row["role"] != "floor"}
    fakes = sum(map(bool, data.values()))
    failed, stale = len(rows) - len(done), sum(bool(row["stale"]) for row in rows)
    return (
        f"{_count(len(done), 'finished run')}, {failed} failed, {stale} stale; {_count(len(data), 'data set')} "
        f"({len(data) - fakes} real, {_count(fakes, 'stand-in')}); {_count(len(models), 'model')} and "
        f"{_count(len(floors), 'floor')}; {_count(len(seeds), 'seed')}."
    )


def _leads(ranks: pd.DataFrame | None) -> list[str]:
    if ranks is None or ranks.empty:
        return [
            "No model leads: there are too few real data sets and models with current runs outside the quick profile "
            "to rank any, as the table of ranks says."
        ]
    return [_lead(place, own) for place, own in ranks.groupby(list(BLOCK), sort=True)]


def _lead(place: Key, own: pd.DataFrame) -> str:
    first, where = (
        own["first"].iloc[0],
        f"{block_title(place)}, {own['datasets'].iloc[0].count(';') + 1} real data sets",
    )
    rank = float(own.loc[own["line"] == first, "average_rank"].iloc[0])
    rivals = own[own["line"] != first]
    beaten = int((rivals["holm"] < LEVEL).sum())
    claim = (
        "the tests support this against every other model"
        if beaten == len(rivals)
        else f"this is no claim: the tests tell it apart from {beaten} of {len(rivals)} others"
    )
    return f"{first} has the best average rank, {rank:.2f} ({where}); {claim}."


def _answers(layout: Layout, differences: pd.DataFrame | None) -> list[str]:
    """What came of a comparison, block by block; real data alone are counted."""
    if differences is None or not layout.references:
        return []
    found = []
    for place, own in differences.groupby(list(BLOCK), sort=True):
        real = own[~own["stand_in"].astype(bool)]
        better = int((real["claimed"] & (real["percent"] > 0)).sum())
        worse = int((real["claimed"] & (real["percent"] < 0)).sum())
        reference = own["reference"].iloc[0]
        wanted = (
            ""
            if reference == layout.references[0]
            else f" No current run of “{layout.references[0]}” is there, so this does not answer the question."
        )
        found.append(
            f"{layout.question or layout.title} On real data “{reference}” is better in {better}, worse in {worse} and "
            f"open in {len(real) - better - worse} of {_count(len(real), 'comparison')} ({block_title(place)}).{wanted}"
        )
    return found


def _warnings(done: Sequence[Row]) -> tuple[str, ...]:
    """Why nothing at all may be quoted."""
    models = [row for row in done if row["role"] != "floor"] or list(done)
    if not models:
        return ("No run is finished.",)
    weights = {row["weights"] for row in models} - {"none"}
    random = ["Every model with a pre-trained part started from random weights."] if weights == {"random"} else []
    if any(row["profile"] != "quick" and not row["stand_in"] for row in models):
        return tuple(random)
    found = ["No number of this report may be quoted."]
    if all(row["profile"] == "quick" for row in models):
        found.append("Every model was trained in the quick profile, whose budgets are tiny: ranks mean nothing.")
    if all(row["stand_in"] for row in models):
        found.append("All data are stand-ins, which are synthetic.")
    return (*found, *random)


def _cautions(rows: Sequence[Row], done: Sequence[Row]) -> tuple[str, ...]:
    found = []
    if fakes := _names(row["dataset"] for row in done if row["stand_in"]):
        found.append(f"Stand-ins, which are synthetic data: {fakes}.")
    if quick := sum(row["profile"] == "quick" for row in done):
        found.append(f"{quick} of {_count(len(done), 'finished run')} are of the quick profile.")
    if models := _names(row["model"] for row in done if row["weights"] == "random"):
        found.append(f"Random instead of pre-trained weights in some or all runs: {models}.")
    if leaky := _names(row["model"] for row in done if row["leaky_scaler"]):
        found.append(f"Runs with a scaler that saw the test part, for comparison with published numbers: {leaky}.")
    if failed := len(rows) - len(done):
        found.append(f"{_count(failed, 'run')} failed; the reasons are below.")
    if any(row["stale"] for row in rows):
        found.append("Stale runs were made by earlier code; they are marked and never ranked.")
    return tuple(found)


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
