"""The part of a suite's table that says what other measures have to say of its rows; no verdict is drawn from them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

from bench.analysis.channels import pooled
from bench.analysis.differences import Differences
from bench.analysis.groups import Group, Summary
from bench.analysis.headers import dataset_headers, method_headers
from bench.analysis.stats.power import FEWEST_SEEDS
from bench.analysis.table import Cell, Table
from bench.analysis.tables._differences import heading_of, signed
from bench.runs.suite import Suite
from bench.settings import RANDOM

MEASURES: Final = {
    "MAE on test": ("test", "mae"),
    "RMSE on test": ("test", "rmse"),
    "MAE on validation": ("val", "mae"),
    "RMSE on validation": ("val", "rmse"),
}
BELOW, ABOVE = "↓", "↑"
NOTES: Final = (
    "No verdict is drawn from these: MAE on test was declared, and one of four measures may show something by chance.",
    f"{BELOW} ({ABOVE}): where there are {FEWEST_SEEDS} runs or more, each is below (above) each run of the reference. "
    "Three and three runs are that by chance in one of ten cases; and it says nothing of other weeks of test.",
)


def other_measures(group: Group, compared: Differences, suite: Suite) -> list[Table]:
    """How variants differ from their reference by each measure, and whether each of their runs does.

    Left out are data sets whose channels differ in unit, which have no error over all of them. A suite without variants
    has none of it.
    """
    if not suite.variants:
        return []
    whole = pooled(group)
    across = [data for data in compared.datasets if data in whole.datasets]
    if not across:
        return []
    datasets, methods = dataset_headers(group.datasets), method_headers(group.methods, group.naive)
    down = [method for method in methods if any((data, method) in compared.cells for data in across)]
    left_out = ", ".join(datasets[data].text for data in compared.datasets if data not in across)
    table = Table(
        key="measures",
        heading=f"What other measures say. {heading_of(group, compared, suite)}",
        corner=f"% more than the reference: {' / '.join(MEASURES)}",
        rows=tuple(methods[method] for method in down),
        columns=tuple(datasets[data] for data in across),
        cells=tuple(
            tuple(_cell(whole.cells.get((data, method)), compared.base(group, data, method)) for data in across)
            for method in down
        ),
        notes=(*NOTES, *([f"Left out, as channels differ in unit: {left_out}."] if left_out else [])),
        text_flags=("random_weights",) if RANDOM & compared.weights else (),
    )
    return [table]


def _cell(summary: Summary | None, base: Summary | None) -> Cell:
    if summary is None:
        return Cell(flags=("missing",))
    if base is None or not summary.ranked:
        return Cell(flags=summary.flags) if summary.flags else Cell(value="no reference")
    pairs = [(_errors(summary, *measure), _errors(base, *measure)) for measure in MEASURES.values()]
    return Cell(value=" / ".join(_text(own, others) for own, others in pairs), flags=summary.flags)


def _errors(summary: Summary, part: str, metric: str) -> list[float]:
    scores = (run.scores[part][metric].overall for run in summary.runs)
    return [score for score in scores if score is not None]


def _text(errors: Sequence[float], reference: Sequence[float]) -> str:
    percent = 100 * (statistics.fmean(errors) / statistics.fmean(reference) - 1)
    if min(len(errors), len(reference)) < FEWEST_SEEDS:
        return signed(percent)
    order = BELOW if max(errors) < min(reference) else ABOVE if min(errors) > max(reference) else ""
    return signed(percent) + order
