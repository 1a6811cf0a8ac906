"""The answer to the project's question, as far as results have one: the comparison that asks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bench.analysis.differences import Differences
from bench.analysis.groups import DataKey, GroupKey, MethodKey
from bench.analysis.results import Results
from bench.analysis.stats.comparison import Difference, Verdict
from bench.analysis.suite_groups import not_run
from bench.runs.suite import Suite

CONTROLS: Final = "controls"  # the suite that asks
ASKED: Final = (
    "no backbone",
    "random, frozen",
    "matched random, frozen",
    "permuted, frozen",
    "one trained block",
)  # its rows without pre-trained weights and with no more that is trained; the first one matters most


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of the comparison.

    Attributes:
        compared: All of its comparisons.
        methods: Those of ``ASKED`` that were compared, in this order.
        not_run: The variants of the suite that were not run, in a text.
        also_run: Those that were compared, too, and are no part of the answer, in a text.
        caveat: What is to be said of the numbers, such as how short training was.
    """

    suite: Suite
    key: GroupKey
    compared: Differences
    methods: tuple[MethodKey, ...]
    not_run: str
    also_run: str
    caveat: str

    @property
    def datasets(self) -> list[DataKey]:
        """On which one of the methods was compared."""
        return sorted({data for data, method in self.compared.cells if method in self.methods})

    def of(self, method: MethodKey) -> Iterator[tuple[DataKey, Difference]]:
        """A method's differences from the reference, by data set."""
        for data in self.datasets:
            if (data, method) in self.compared.cells:
                yield data, self.compared.cells[data, method]

    @property
    def short(self) -> str:
        """The verdicts on all of these in a few words."""
        return in_short(self.compared.counts(self.methods))


def in_short(counts: Mapping[Verdict, int]) -> str:
    """The answer to whether the reference is better, by how often each verdict on it was reached."""
    number = sum(counts.values())
    better, worse, unknown = (counts[verdict] for verdict in ("better", "worse", "open"))
    if better == number:
        return "Yes, here."
    if worse == number:
        return f"It does harm here: worse in {worse} of {number} comparisons."
    if better and worse:
        return f"Mixed: better in {better}, worse in {worse} of {number} comparisons."
    if better:
        left = f", open in {unknown}" if unknown else ""
        return f"In part: better in {better} of {number} comparisons{left}."
    if worse:
        return f"No gain is shown, but there is a loss in {worse} of {number} comparisons."
    return "Not shown." if unknown else "No, not here."


def answer(results: Results) -> Answer | None:
    """Of the group with the most comparisons in a profile that lets something be claimed; None without one.

    Nothing is an answer where the suite's first reference is missing, or no difference may be quoted, as on synthetic
    data.
    """
    suite = next((suite for suite in results.suites if suite.name == CONTROLS), None)
    if suite is None:
        return None
    groups = {
        key: compared for key, compared in results.differences(suite).items() if key.claims and not compared.caveats
    }
    key = max(groups, key=lambda key: len(groups[key].cells), default=None)
    if key is None:
        return None
    known = {method.name: method for method in groups[key].methods}
    methods = tuple(known[name] for name in ASKED if name in known)
    judged = methods and any(groups[key].counts(methods).values())
    if not judged:
        return None
    group = results.groups(suite)[key]
    beside = (name for name in known if name not in ASKED)
    return Answer(
        suite=suite,
        key=key,
        compared=groups[key],
        methods=methods,
        not_run=not_run(group, suite.variants),
        also_run="; ".join(beside),
        caveat=group.caveat,
    )
