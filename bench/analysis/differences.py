"""How the rows of a group differ from its reference: who is compared with whom, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np

from bench.analysis.groups import DataKey, Group, MethodKey, Summary
from bench.analysis.stats.comparison import Difference, Runs, Verdict, compare, corrected
from bench.analysis.suite_groups import about_shares
from bench.analysis.table import MARKS
from bench.analysis.witnesses import Witnesses, witnesses
from bench.catalog.pretrained import part_used
from bench.records.arrays import values_of
from bench.records.record import DoneRun
from bench.runs.suite import Suite, suite_names
from bench.settings import RANDOM

PREFERRED = ("pretrained", "none", *sorted(RANDOM))  # weights of a reference for a method of other weights
ROUNDING = 1e-4  # relative; errors of the same forecasts differ by less, on whatever device they were counted


@dataclass(frozen=True, kw_only=True)
class Differences:
    """All comparisons of one group.

    Attributes:
        reference: The name of the method compared with.
        title: What readers see in its place.
        wanted: The name that the suite puts first; its runs may be missing.
        part: What of a pre-trained part the reference uses, if that is not all of it; else empty.
        cells: The reference itself is not among them.
        witnesses: The real data sets, and which of them are related.
    """

    reference: str
    title: str
    wanted: str
    part: str
    cells: Mapping[tuple[DataKey, MethodKey], Difference]
    witnesses: Witnesses

    @property
    def weights(self) -> set[str]:
        """Of all that is a reference."""
        return {difference.weights for difference in self.cells.values()}

    @property
    def mark(self) -> str:
        """Behind the reference, with a space before it, if its weights are random."""
        return f" {MARKS['random_weights'][0]}" if RANDOM & self.weights else ""

    @property
    def name(self) -> str:
        """The reference, marked if its weights are random."""
        return f"“{self.title}”{self.mark}"

    @property
    def datasets(self) -> list[DataKey]:
        return sorted({data for data, _ in self.cells})

    @property
    def methods(self) -> list[MethodKey]:
        return sorted({method for _, method in self.cells})

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader must know first, if the reference is not the one wanted."""
        if self.reference == self.wanted:
            return ()
        return (f"No current run of “{self.wanted}” is there, so this does not answer the question.",)

    def base(self, group: Group, data: DataKey, method: MethodKey) -> Summary | None:
        """What of the group a method was compared with."""
        rows = group.of(data)
        base = _reference_of(method, [other for other in rows if other.name == self.reference and rows[other].ranked])
        return None if base is None else rows[base]

    def on(self, data: DataKey) -> Differences:
        """The comparisons on one data set alone."""
        return replace(self, cells={key: cell for key, cell in self.cells.items() if key[0] == data})

    def counts(self, methods: Iterable[MethodKey]) -> dict[Verdict, int]:
        """How often each verdict on the reference is reached, where one may be claimed at all."""
        chosen = {*methods}
        counted = [cell for (_, method), cell in self.cells.items() if method in chosen and cell.quotable]
        return {verdict: sum(cell.verdict == verdict for cell in counted) for verdict in get_args(Verdict)}


def differences(group: Group, suite: Suite) -> Differences | None:
    """Compare every variant of a group with the reference; None if there is nothing to compare.

    In a suite without variants these are all rows, and only in a profile that lets something be claimed. What a suite
    of ours asks about shares of the training windows is not asked of all of them: others of ours ask it there.
    """
    if group.key.fraction == 1 and about_shares(suite) and suite.name in suite_names():
        return None
    variants = {variant.name for variant in suite.variants}
    if not variants and not group.key.claims:
        return None
    rows = {key: cell for key, cell in group.cells.items() if not variants or key[1].name in variants}
    usable = {key: cell for key, cell in rows.items() if cell.ranked}
    titles = {method.name: method.title or method.name for _, method in usable}
    reference = next((name for name in suite.references if name in titles), None)
    cells: dict[tuple[DataKey, MethodKey], Difference] = {}
    for data in dict.fromkeys(data for data, _ in usable):
        summaries = {method: cell for (other, method), cell in usable.items() if other == data}
        compared = _on_one(summaries, reference, suite.margin)
        quotable = group.key.claims and (suite.planted or not data.synthetic)
        cells |= {(data, method): replace(cell, quotable=quotable) for method, cell in compared.items()}
    if reference is None or not cells:
        return None
    real = witnesses(run for key in cells if not key[0].synthetic for run in group.cells[key].runs)
    runs = [run for (_, method), cell in usable.items() if method.name == reference for run in cell.runs]
    return Differences(
        reference=reference,
        title=titles[reference],
        wanted=suite.references[0],
        part=" or ".join(sorted({part_used(run.model, run.spec.config) for run in runs} - {""})),
        cells=cells,
        witnesses=real,
    )


def _on_one(
    summaries: Mapping[MethodKey, Summary], reference: str | None, margin: float
) -> dict[MethodKey, Difference]:
    """The comparisons on one data set, corrected together."""
    references = [method for method in summaries if method.name == reference]
    others = [method for method in summaries if method.name != reference]
    pairs = {method: base for method in others if (base := _reference_of(method, references)) is not None}
    raw: dict[MethodKey, Difference] = {}
    for base in dict.fromkeys(pairs.values()):
        methods = [method for method, other in pairs.items() if other == base]
        values = compare(_runs(summaries[base]), [_runs(summaries[method]) for method in methods], margin=margin)
        raw |= {
            method: replace(value, weights=base.weights)
            for method, value in zip(methods, values, strict=True)
            if value is not None
        }
    return dict(zip(raw, corrected(list(raw.values())), strict=True))


def _reference_of(method: MethodKey, references: Sequence[MethodKey]) -> MethodKey | None:
    """The reference of the same settings, if these are told apart, and of the same weights if there is a choice."""
    alike = [base for base in references if len(references) == 1 or base.settings in ("", method.settings)]
    order = {name: rank for rank, name in enumerate((method.weights, *PREFERRED)[::-1])}
    return max(
        alike,
        key=lambda base: (order.get(base.weights, -1), base.weights_sha256 == method.weights_sha256),
        default=None,
    )


def _runs(summary: Summary) -> Runs:
    """Its runs, and whether they depend on the seed: by what they are made of, or since those of several differ.

    Epochs, random weights and forecasts that are drawn follow from the seed. A fit that draws shows in several runs
    alone.
    """
    windows = [run.windows for run in summary.runs]
    drawn = not summary.naive and any(map(_follows_from_seed, summary.runs))
    first, *others = (values_of(each.absolute) for each in windows)
    differ = any(first.shape != other.shape or not np.allclose(first, other, rtol=ROUNDING) for other in others)
    return Runs(windows=windows, seeded=drawn or differ)


def _follows_from_seed(run: DoneRun) -> bool:
    forecasts = run.audit.forecasts if run.audit else None
    return bool(run.curve) or run.spec.weights in RANDOM or (forecasts is not None and forecasts.draws > 0)
