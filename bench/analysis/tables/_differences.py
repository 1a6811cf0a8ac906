"""The part of a suite's table that says how its rows differ from the reference, and what would settle what is open."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

from bench.analysis.differences import Differences
from bench.analysis.groups import Group, GroupKey, MethodKey, Summary
from bench.analysis.headers import dataset_headers, method_headers, shown_part
from bench.analysis.stats.comparison import Difference
from bench.analysis.stats.lasting import FEWEST_DAYS, LASTING
from bench.analysis.stats.power import FEWEST_SEEDS, MOST_SEEDS
from bench.analysis.table import MINUS, Cell, Header, NotesOf, Table, ended
from bench.analysis.tables._columns import data_facts, method_facts
from bench.analysis.units import minutes_of
from bench.runs.suite import Suite
from bench.settings import RANDOM
from bench.types import MINUTES_PER_DAY

PLANTED = (
    "The data are synthetic on purpose, so that the right verdicts are known: this judges the comparison, no model."
)
UNSETTLED = (
    f"No number of seeds up to {MOST_SEEDS} would settle what is open here, neither a difference of the size seen nor "
    "one of the margin; more data sets or a longer test period may."
)
MOST_SHOWN = 100  # percent
TESTS = ("p", "holm", "p_equivalent", "holm_equivalent")


def difference_tables(group: Group, compared: Differences, suite: Suite) -> list[Table]:
    """The differences, for what is compared at all, under the names that it has among the scores; and what is open."""
    datasets, methods = dataset_headers(group.datasets), method_headers(group.methods, group.naive)
    rows = [method for method in methods if method in compared.methods]
    notes = partial(_notes, group, compared, suite)
    heading = heading_of(group, compared, suite)
    differences = Table(
        key="difference",
        heading=heading,
        corner="MAE, % more than the reference",
        rows=tuple(methods[method] for method in rows),
        columns=(
            *(datasets[data] for data in compared.datasets),
            Header(name="reference better / worse / equivalent / open"),
        ),
        cells=tuple(_row(group, compared, method) for method in rows),
        notes=notes(frozenset()),
        notes_without=notes,
        text_flags=("random_weights",) if RANDOM & compared.weights else (),
    )
    open_ones = {key: cell for key, cell in compared.cells.items() if cell.quotable and cell.verdict == "open"}
    if not open_ones:
        return [differences]
    down, across = ([*dict.fromkeys(part)] for part in zip(*open_ones, strict=True))
    settle = Table(
        key="settle",
        heading=f"What would settle what is open? {heading}",
        corner=f"Seeds of each to show: the difference seen / one of {suite.margin:g} %",
        rows=tuple(methods[method] for method in rows if method in across),
        columns=tuple(datasets[data] for data in sorted(down)),
        cells=tuple(
            tuple(_needs(open_ones.get((data, method)), suite.margin) for data in sorted(down))
            for method in rows
            if method in across
        ),
        notes=_settling(open_ones.values()),
        text_flags=differences.text_flags,
    )
    if any(re.search(r"\d", cell.value) for row in settle.cells for cell in row):
        return [differences, settle]
    told = all(cell.lacking for cell in open_ones.values())  # why, among the notes
    return [differences if told else _with_note(differences, notes, UNSETTLED)]


def heading_of(group: Group, compared: Differences, suite: Suite) -> str:
    """What was asked, what is compared with, and in which group."""
    return " ".join(f"{ended(suite.question)} Difference from {compared.name}. {group.key.title}".split())


def _with_note(table: Table, notes: NotesOf, more: str) -> Table:
    """With one more behind its notes, whatever of it is shown."""
    return replace(table, notes=(*table.notes, more), notes_without=lambda hidden: (*notes(hidden), more))


def difference_rows(key: GroupKey, compared: Differences) -> list[dict[str, Any]]:
    """One row per comparison at full precision."""
    return [
        {
            **asdict(key),
            **data_facts(data),
            **method_facts(method),
            "reference": compared.reference,
            "reference_weights": difference.weights,
            **_facts(difference),
        }
        for (data, method), difference in compared.cells.items()
    ]


def _facts(difference: Difference) -> dict[str, Any]:
    low, high = difference.interval
    uncertainty = difference.uncertainty
    return {
        "percent": difference.percent,
        "low": low,
        "high": high,
        **{name: getattr(difference, name) for name in TESTS},
        "verdict": difference.verdict if difference.quotable else "",
        "margin": difference.margin,
        "detectable": difference.detectable,
        "seeds_for_seen": difference.seeds_for(difference.percent),
        "seeds_for_margin": difference.seeds_for(difference.margin),
        "lacking": difference.lacking,
        "days": difference.days,
        "windows_error": uncertainty.windows**0.5 if uncertainty else None,
        "reference_spread": uncertainty.spreads[0] ** 0.5 if uncertainty else None,
        "spread": uncertainty.spreads[1] ** 0.5 if uncertainty else None,
        "freedom": uncertainty.freedom if uncertainty else None,
        "reference_seeds": difference.reference_seeds,
        "seeds": ";".join(f"{value:.6g}" for value in difference.seeds),
    }


def _notes(group: Group, compared: Differences, suite: Suite, hidden: frozenset[str]) -> tuple[str, ...]:
    shown = _shown_part(group, compared, hidden)
    notes = [
        *compared.caveats,
        "Mean absolute error less that of the reference, in % of it: above 0 the reference is better.",
        "In brackets the 95 % interval: it covers the spread of the seeds of both (which are not paired) and that of "
        f"the test windows, whose noise may last (halved in up to {LASTING:g} hours).",
        "Bold: the reference is better or worse (t test, p < 0.05 after Holm's correction on each data set). "
        f"Equivalent: the 90 % interval lies within ± {suite.margin:g} %, the suite's margin "
        "(two one-sided tests, corrected alike). All else is open, and in round brackets stands the smallest "
        "difference, in %, that would have been found in 80 % of cases.",
        "Intervals are not corrected for the number of comparisons, verdicts are (Holm): so an interval without 0 can "
        "be open.",
        PLANTED if suite.planted else "Only real data of a profile that allows claims are judged and counted.",
        *([compared.witnesses.related] if compared.witnesses.related else []),
        *([group.caveat] if group.caveat else []),
        *_of_years(group, shown),
        *_lacking(shown),
    ]
    if len(shown.weights) > 1:
        notes.append("A method is compared with the reference of its own weights where there are several.")
    return tuple(notes)


def _shown_part(group: Group, compared: Differences, hidden: frozenset[str]) -> Differences:
    """The comparisons that are left where rows and columns of these names are not shown."""
    left = shown_part(group, hidden).cells
    return (
        replace(compared, cells={at: cell for at, cell in compared.cells.items() if at in left}) if hidden else compared
    )


def _of_years(group: Group, compared: Differences) -> list[str]:
    """What a day means to the comparison where the season is the year."""
    yearly = [data for data in compared.datasets if minutes_of(group, data) > MINUTES_PER_DAY]
    if not yearly:
        return []
    names = ", ".join(sorted({data.title or data.dataset for data in yearly}))
    return [
        f"Where a step is a week or a month ({names}) a year stands for each day: noise may be halved in up to "
        f"{LASTING / 24:g} years, and a test period of less than {FEWEST_DAYS} years supports no claim."
    ]


def _lacking(compared: Differences) -> list[str]:
    """What cannot be tested at all, and why."""
    quotable = {key: cell for key, cell in compared.cells.items() if cell.quotable}
    few = any(cell.lacking == "seeds" for cell in quotable.values())
    short = sorted({data.title or data.dataset for (data, _), cell in quotable.items() if cell.lacking == "days"})
    notes = [f"(n=k): a trained model with fewer than {FEWEST_SEEDS} seeds supports no claim."] if few else []
    if short:
        notes.append(
            f"A test period of less than {FEWEST_DAYS} days supports no claim, since noise may last: "
            f"{', '.join(short)}."
        )
    return notes


def _settling(cells: Iterable[Difference]) -> tuple[str, ...]:
    notes = (
        "For each comparison that is open: about how many seeds of the method and of the reference would show a true "
        "difference of the size seen, and one of the margin, in 80 % of cases, if seeds vary as they do now.",
        f"—: more than {MOST_SEEDS}, or the test period is too short for any number of seeds.",
    )
    return notes if any(cell.lacking != "seeds" for cell in cells) else notes[:1]


def _row(group: Group, compared: Differences, method: MethodKey) -> tuple[Cell, ...]:
    """The comparisons of one method, and how those end that may be claimed at all."""
    keys = [(data, method) for data in compared.datasets]
    cells = [_cell(group.cells.get(key), compared.cells.get(key)) for key in keys]
    return (*cells, Cell(value=" / ".join(map(str, compared.counts([method]).values()))))


def _cell(summary: Summary | None, difference: Difference | None) -> Cell:
    if summary is None:
        return Cell(flags=("missing",))
    if difference is None:
        return Cell(flags=summary.flags) if summary.flags else Cell(value="no reference")
    rank: Literal["best", ""] = "best" if difference.verdict in ("better", "worse") else ""
    return Cell(value=_text(difference), rank=rank, flags=summary.flags)


def _text(difference: Difference) -> str:
    if difference.lacking == "seeds":
        return f"{signed(difference.percent)} (n={min(len(difference.seeds), difference.reference_seeds)})"
    if difference.uncertainty is None:
        return signed(difference.percent)
    text = f"{signed(difference.percent)} [{', '.join(map(signed, difference.interval))}]"
    if difference.verdict == "equivalent":
        return f"{text} equivalent"
    shown = difference.quotable and difference.verdict == "open" and not difference.lacking
    return f"{text} open ({detectable(difference)})" if shown else text


def _needs(difference: Difference | None, margin: float) -> Cell:
    if difference is None:
        return Cell()
    if difference.lacking:
        return Cell(value={"seeds": f"{FEWEST_SEEDS} or more", "days": "—"}[difference.lacking])
    wanted = (difference.seeds_for(size) for size in (difference.percent, margin))
    return Cell(value=" / ".join("—" if number is None else str(number) for number in wanted))


def detectable(difference: Difference) -> str:
    """The smallest difference that would have been found, in percent; beyond 100 the number says nothing more."""
    return "> 100" if difference.detectable > MOST_SHOWN else f"{difference.detectable:.1f}"


def signed(value: float) -> str:
    """One decimal, and a sign unless it is 0."""
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)
