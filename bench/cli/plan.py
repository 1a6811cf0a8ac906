"""What a person is told of a plan before it runs: its size, and how long it will take on this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.cli.console import bars, duration

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.runs.spec import PlannedRun
    from bench.runs.suite import Suite


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What of a plan is to do, and how long that may take.

    Attributes:
        seconds: By data set, of the runs whose pace is known.
        unknown: How many runs are in no such number.
        bound: Whether training may stop earlier, so that the numbers are upper bounds.
        failures: By line, why it could not be tried.
    """

    todo: Sequence[PlannedRun]
    seconds: Mapping[str, float]
    unknown: int
    bound: bool
    failures: Mapping[str, str]

    @property
    def time(self) -> str:
        """All of it as a person says it; empty if nothing is known."""
        if self.unknown == len(self.todo):
            return ""
        without = f", {self.unknown} of them not timed" if self.unknown else ""
        most = "at most " if self.bound else ""
        return f"{most}about {duration(sum(self.seconds.values()))} on this machine{without}"


def show_plan(console: Console, suite: Suite, plan: Sequence[PlannedRun], catalog: Catalog) -> None:
    """Print the size of a plan in one line."""
    stand_in = {run.dataset: run.spec.data.stand_in for run in plan}
    lines, seeds = {run.line for run in plan}, {run.spec.seed for run in plan}
    text = (
        f"{suite.title}: {len(plan)} runs = {len(stand_in)} data sets ({sum(stand_in.values())} stand-ins) x "
        f"{len(lines)} models and variants x {len(seeds)} seeds; data folder: {catalog.data_dir or 'none'}"
    )
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def expect(
    console: Console,
    plan: Sequence[PlannedRun],
    catalog: Catalog,
    results: Path,
    device: str,
    *,
    force: bool,
    thorough: bool,
) -> Expected:
    """How long the runs will take that the store lacks, from its records, else from a trial under a progress bar.

    With ``thorough`` every unknown kind of run is tried, else only those whose trial is cheap beside its runs.
    """
    from bench.context import device_name, resolve_device
    from bench.records.store import ResultStore
    from bench.runs import estimate
    from bench.runs.timing import paces_with_trials

    store, found = ResultStore(results), resolve_device(device)
    todo = [run for run in plan if force or not store.has(run.dataset, run.model, run.run_id)]
    with console.status("reading the sizes of the data sets"):
        sizes = estimate.sizes_of(todo, catalog)
        known = estimate.paces_from_records(store.records(), device_name(found)) if todo else {}
    trials = estimate.trials(todo, known, sizes, cheap=not thorough)
    with bars(console) as progress:
        bar = progress.add_task("trying how fast this machine is", total=len(trials), note="", completed=-1)
        paces, failures = paces_with_trials(
            trials,
            known,
            catalog,
            found,
            lambda run: progress.update(bar, advance=1, note=f"{escape(run.line)} on {run.dataset}"),
        )
    timed = [run for run in todo if estimate.kind(run) in paces]
    return Expected(
        todo=todo,
        seconds={
            name: estimate.total_seconds([run for run in timed if run.dataset == name], paces, sizes) for name in sizes
        },
        unknown=len(todo) - len(timed),
        bound=any(
            paces[estimate.kind(run)].trained and run.spec.train.patience < run.spec.train.epochs for run in timed
        ),
        failures=failures,
    )


def announce(console: Console, expected: Expected) -> None:
    """Print how long the runs will take, in one line; nothing if none is to do or nothing is known."""
    if expected.todo and expected.time:
        console.print(f"{len(expected.todo)} runs to do, {expected.time}", highlight=False, soft_wrap=True)


def show_expected(console: Console, plan: Sequence[PlannedRun], expected: Expected) -> None:
    """Print a plan as a table: what is there of each data set, and how long the rest may take."""
    table = Table("data set", "runs", "in the store", "time for the rest", title="plan")
    for name in dict.fromkeys(run.dataset for run in plan):
        mine, rest = (sum(run.dataset == name for run in runs) for runs in (plan, expected.todo))
        time = f"about {duration(expected.seconds[name])}" if rest else "—"
        table.add_row(name, str(mine), str(mine - rest), time)
    console.print(table)
    time = f", {expected.time}" if expected.todo else ""
    console.print(f"{len(expected.todo)} of {len(plan)} runs to do{time}; nothing was run", highlight=False)
    for line, reason in expected.failures.items():
        text = f"[yellow]not in the estimate: {escape(line)}: {escape(reason)}[/yellow]"
        console.print(text, highlight=False, soft_wrap=True)
