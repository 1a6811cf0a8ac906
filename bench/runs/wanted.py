"""Whose tuned settings a plan wants, and which search would find them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.catalog import registry
from bench.records.planned import PlannedRun
from bench.runs.search import Search, search_of, searched
from bench.runs.suite import Suite, suite_names


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Whose tuned settings a plan wants.

    Attributes:
        row: Of the suite's table: a model's or a variant's name.
        suite: As ``stbench tune --suite`` knows it.
        variant: Its own settings, such as "model.control=shuffled".
        fixed: What is set by hand, such as "train.epochs=2".
        search: What ``stbench tune`` would search for it now.
    """

    dataset: str
    model: str
    row: str
    suite: str
    variant: tuple[str, ...]
    fixed: tuple[str, ...]
    search: Search

    @property
    def finder(self) -> str:
        """What finds the settings, as a command and as a call."""
        model, dataset = registry.typed("model", self.model), registry.typed("dataset", self.dataset)
        what, words = f"--model {shlex.quote(model)}", f"models=[{model!r}]"
        if self.variant:
            what, words = (
                f'--suite {self.suite} --variant "{self.row}"',
                f"suite='{self.suite}', variants=['{self.row}']",
            )
        what += f" --dataset {shlex.quote(dataset)}"
        return f"'stbench tune {what}', or bench.tune({words}, datasets=[{dataset!r}]),"


def wanted_by(runs: Iterable[PlannedRun], suite: Suite, fixed: Sequence[str]) -> list[Wanted]:
    """What runs want, each as it is without tuning.

    Args:
        runs: One of each row of the suite on each data set.
        suite: The suite.
        fixed: What is set by hand.
    """
    name = suite.name if suite.name in suite_names() else "FILE"
    return [
        Wanted(
            dataset=run.dataset,
            model=run.model,
            row=run.method,
            suite=name,
            variant=run.variant,
            fixed=tuple(fixed),
            search=search_of(run.spec, searched(run.model, (*fixed, *run.variant))),
        )
        for run in runs
    ]
