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
from bench.plain_text import counted
from bench.runs.suite import Suite

CONTROLS: Final = "controls"  # the suite that asks
ASKED: Final = (
    "no backbone",
    "random, frozen",
    "matched random, frozen",
    "permuted, frozen",
    "one trained block",
)  # its rows without pre-trained weights that train no whole backbone in their place; the first one matters most


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of the comparison.

    Attributes:
        compared: All of its comparisons.
        methods: Those of ``ASKED`` that were compared, in this order.
        others: All other methods that were compared.
        not_run: The variants of the suite that were not run, in a text.
        caveat: What is to be said of the numbers, such as how short training was.
    """

    suite: Suite
    key: GroupKey
    compared: Differences
    methods: tuple[MethodKey, ...]
    others: tuple[MethodKey, ...]
    not_run: str
    caveat: str

    @property
    def datasets(self) -> list[DataKey]:
        """On which one of the methods was compared, and of which something may be said."""
        cells = self.compared.cells.items()
        return sorted({data for (data, method), cell in cells if method in self.methods and cell.quotable})

    def absent(self, method: MethodKey) -> list[DataKey]:
        """On which a method was not compared, though others were."""
        return [data for data in self.datasets if (data, method) not in self.compared.cells]

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
    """Whether the reference is better, by how often each verdict on it was reached, of which there is at least one."""
    number = sum(counts.values())
    if counts["better"]:
        word = "Yes" if counts["better"] == number else "Mixed" if counts["worse"] else "In part"
    else:
        word = "Not shown" if counts["open"] else "No"
    return f"{word}: {reached(counts)}."


def reached(counts: Mapping[Verdict, int]) -> str:
    """The verdicts on the reference that were reached, and how often."""
    each = ", ".join(f"{verdict} in {times}" for verdict, times in counts.items() if times)
    return f"{each} of {counted(sum(counts.values()), 'comparison')}"


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
    return Answer(
        suite=suite,
        key=key,
        compared=groups[key],
        methods=methods,
        others=tuple(method for name, method in known.items() if name not in ASKED),
        not_run=not_run(group, suite.variants),
        caveat=group.caveat,
    )
