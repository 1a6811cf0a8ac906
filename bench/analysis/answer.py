"""The answer to the project's question, as far as results have one: the comparison that asks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bench.analysis.differences import Differences
from bench.analysis.groups import DataKey, GroupKey, MethodKey
from bench.analysis.results import Results
from bench.analysis.stats.comparison import Difference
from bench.analysis.suite_groups import not_run
from bench.runs.suite import Suite

CONTROLS: Final = "controls"  # the suite that asks
ASKED: Final = (
    "no backbone",
    "random, frozen",
    "one trained block",
)  # its rows that the answer is about, the first most


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of the comparison.

    Attributes:
        compared: All of its comparisons.
        methods: Those of ``ASKED`` that were compared, in this order.
        not_run: The variants of the suite that were not run, in a text.
        caveat: What is to be said of the numbers, such as how short training was.
    """

    suite: Suite
    key: GroupKey
    compared: Differences
    methods: tuple[MethodKey, ...]
    not_run: str
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
        counts = self.compared.counts(self.methods)
        number = sum(counts.values())
        if counts["better"] == number:
            return "Yes, here."
        if counts["better"]:
            return "In part."
        if counts["open"]:
            return "No gain is shown, a loss is." if counts["worse"] else "Not shown."
        return "No, not here."


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
    absent = not_run(group, suite.variants)
    return Answer(suite=suite, key=key, compared=groups[key], methods=methods, not_run=absent, caveat=group.caveat)
