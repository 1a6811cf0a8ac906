"""The part of a suite's table that says how its rows differ from the reference."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.analysis.differences import Differences
from bench.analysis.groups import Group, GroupKey, MethodKey, Summary
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.stats.comparison import DRAWS, FEWEST_SEEDS, Difference
from bench.analysis.table import MINUS, Cell, Header, Table
from bench.analysis.tables._columns import method_facts
from bench.runs.suite import Suite

MEASURED = ("percent", "low", "high", "days", "p", "holm")


def difference_table(group: Group, compared: Differences, suite: Suite) -> Table:
    """The differences, for what is compared at all, under the names that it has among the scores."""
    datasets, methods = dataset_headers(group.datasets), method_headers(group.methods, group.naive)
    rows = [method for method in methods if method in compared.methods]
    return Table(
        key="difference",
        heading=" ".join(f"{suite.question} Difference from {compared.name}. {group.key.title}".split()),
        corner="MAE, % more than the reference",
        rows=tuple(methods[method] for method in rows),
        columns=(*(datasets[data] for data in compared.datasets), Header(name="reference better / worse / open")),
        cells=tuple(_row(group, compared, method) for method in rows),
        notes=_notes(compared),
        text_flags=("random_weights",) if "random" in compared.weights else (),
    )


def difference_rows(key: GroupKey, compared: Differences) -> list[dict[str, Any]]:
    """One row per comparison at full precision."""
    return [
        {
            **asdict(key),
            **asdict(data),
            **method_facts(method),
            "reference": compared.reference,
            "reference_weights": difference.weights,
            **{name: getattr(difference, name) for name in MEASURED},
            "claimed": difference.claimed,
            "seeds": ";".join(f"{seed}:{value:.6g}" for seed, value in difference.seeds.items()),
        }
        for (data, method), difference in compared.cells.items()
    ]


def _notes(compared: Differences) -> tuple[str, ...]:
    notes = [
        *compared.caveats,
        "Mean absolute error less that of the reference, in % of it: above 0 the reference is better.",
        "In brackets the 95 % interval of a moving-block bootstrap over test windows (blocks of a day or more, "
        f"{DRAWS} draws) of errors averaged over the seeds that both have; it does not cover the spread of seeds.",
        f"Bold, and counted: real data, no quick profile, {FEWEST_SEEDS} seeds or more, and the interval, every seed "
        "and Wilcoxon's signed-rank test over days agree (p < 0.05 after Holm's correction on each data set); all "
        "else is open.",
    ]
    tried = [(data.dataset, cell) for (data, _), cell in compared.cells.items() if len(cell.seeds) >= FEWEST_SEEDS]
    few = {name for name, cell in tried if not cell.testable}
    if few:
        notes.append(f"Too few days for the test to reach p < 0.05, whatever the truth: {', '.join(sorted(few))}.")
    if len(compared.weights) > 1:
        notes.append("A method is compared with the reference of its own weights where there are several.")
    return tuple(notes)


def _row(group: Group, compared: Differences, method: MethodKey) -> tuple[Cell, ...]:
    """The comparisons of one method, and how they end on real data."""
    keys = [(data, method) for data in compared.datasets]
    cells = [_cell(group.cells.get(key), compared.cells.get(key)) for key in keys]
    return (*cells, Cell(value=" / ".join(map(str, compared.counts([method])))))


def _cell(summary: Summary | None, difference: Difference | None) -> Cell:
    if summary is None:
        return Cell(flags=("missing",))
    if difference is None:
        return Cell(flags=summary.flags) if summary.flags else Cell(value="no reference")
    text = f"{_signed(difference.percent)} [{_signed(difference.low)}, {_signed(difference.high)}]"
    count = f" (n={len(difference.seeds)})" if len(difference.seeds) < FEWEST_SEEDS else ""
    return Cell(value=text + count, rank="best" if difference.claimed else "", flags=summary.flags)


def _signed(value: float) -> str:
    """One decimal, and a sign unless it is 0."""
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)
