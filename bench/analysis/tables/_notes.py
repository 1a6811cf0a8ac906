"""What a reader must know of the scores of a group, as sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bench.analysis.budget import budget_note
from bench.analysis.groups import Group
from bench.analysis.headers import dataset_headers, method_headers, not_hidden, shown_part, weights_note
from bench.analysis.inputs import inputs_note
from bench.analysis.measures import MEASURES, SCALED
from bench.analysis.sources import sources_note, untransferable_note
from bench.analysis.suite_groups import not_run_note
from bench.analysis.training import training_notes
from bench.analysis.units import steps_note, units_note
from bench.runs.suite import Suite

NAIVE = "Naive baselines in italics; they are not trained."
SPLIT = (
    "Where the channels of a data set differ in unit, each has scores of its own; none is pooled over them, and the "
    "data set takes no part in rankings over data sets."
)


def score_notes(
    group: Group, suite: Suite, metrics: Sequence[str], hidden: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Of a table of these metrics, in which data sets, methods and metrics of the ``hidden`` names are not shown."""
    datasets, methods = not_hidden(group, hidden)
    shown, whole = shown_part(group, hidden), len(methods) == len(group.methods)
    metrics = [metric for metric in metrics if MEASURES[metric].label not in hidden]
    notes = (
        seeds_note(group),
        NAIVE if group.naive.intersection(methods) else "",
        _ranks_note(group, whole=whole),
        *_measures_notes(group.on(datasets), metrics),
        shown.caveat,
        *training_notes(shown),
        budget_note(shown),
        not_run_note(group, suite) if whole else "",
        sources_note(shown),
        untransferable_note(shown),
        weights_note(shown.methods),
        _threads_note(shown),
        SPLIT if any(data.channel for data in datasets) else "",
        inputs_note(shown),
    )
    return tuple(filter(None, notes))


def seeds_note(group: Group) -> str:
    """Of how many runs a number is the mean."""
    seeds = most_seeds(group)
    if seeds < 2:
        return "One seed." if seeds else "No run is done."
    return f"Mean ± sample standard deviation over {seeds} seeds, (n=k) where there are fewer."


def most_seeds(group: Group) -> int:
    """Of what is trained, where anything is: a naive baseline may stand here with the seeds of another profile."""
    cells = group.cells.values()
    trained = max((cell.seeds for cell in cells if not cell.naive), default=0)
    return trained or max(cell.seeds for cell in cells)


def _ranks_note(group: Group, *, whole: bool) -> str:
    """What is marked; in a part of a table no method of it may be."""
    if group.key.quick:
        return (
            "Quick profile: the budgets are small, so the ranks mean nothing and none is marked; use `--profile paper`."
        )
    best = "Best" if whole else f"Best of all {len(group.methods)} methods, shown here or not,"
    return f"{best} in bold, second underlined, ties at the printed precision neither."


def _measures_notes(group: Group, metrics: Sequence[str]) -> Iterator[str]:
    """Units of errors, lengths of steps, and by what a scaled error is divided, whichever methods are shown."""
    labels = [MEASURES[metric].label for metric in metrics if MEASURES[metric].unit]
    yield units_note(group, labels) if labels else ""
    yield steps_note(group)
    yield _scale_note(group) if SCALED in metrics else ""


def _scale_note(group: Group) -> str:
    methods, datasets = method_headers(group.methods), dataset_headers(group.datasets)
    scales = []
    for data in group.datasets:
        naive = {method: cell.mean("mae") for method, cell in group.of(data).items() if cell.naive}
        known = {method: mean for method, mean in naive.items() if math.isfinite(mean)}
        best = min(known, key=lambda method: (known[method], method), default=None)
        scales += [f"{datasets[data].name}: {methods[best].name}"] if best else []
    least = f" ({'; '.join(scales)})" if scales else ": none was run"
    return f"Scaled MAE: MAE divided by that of the best naive baseline on the same test windows{least}."


def _threads_note(group: Group) -> str:
    """Where not all runs had as many threads: sums of floats are made in another order by each number of them.

    Forecasts made elsewhere are no run, and nobody knows on how many threads they were made.
    """
    runs = [run for cell in group.cells.values() for run in cell.runs if not run.external]
    known = {number for run in runs if (number := run.environment.threads) is not None}
    if len(known) < 2:
        return ""
    return f"The runs had {' or '.join(map(str, sorted(known)))} threads, on which scores depend a little."
