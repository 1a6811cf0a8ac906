"""What is printed of a plan before it runs: its size, and the time it will take on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from bench.cli.console import bars, duration, print_line, warn_on
from bench.cli.options import say_unread
from bench.cli.terminal import Console
from bench.errors import BenchError
from bench.plain_text import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from bench.catalog.data import Catalog
    from bench.records.planned import PlannedRun
    from bench.runs.estimate import Pace
    from bench.runs.executors import Executor
    from bench.runs.suite import Suite


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What of a plan is to do, and how long that may take.

    Attributes:
        paces: As far as they are known; None where other machines make the runs, so that nothing was tried here.
        seconds: By data set, of the runs whose pace is known.
        jobs: How many runs go side by side.
        span: Seconds that all of these take then.
        unknown: How many runs are in no such number.
        bound: Whether training may stop earlier, so that the numbers are upper bounds.
        failures: By method, why it could not be tried.
    """

    paces: Mapping[str, Pace] | None
    todo: Sequence[PlannedRun]
    seconds: Mapping[str, float]
    jobs: int
    span: float
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
        beside = f" with {self.jobs} runs side by side" if self.jobs > 1 else ""
        return f"{most}about {duration(self.span)} on this machine{beside}{without}"


def show_plan(suite: Suite, plan: Sequence[PlannedRun], catalog: Catalog) -> None:
    """Print the size of a plan in one line, and in another what cannot be known of it before weights are here."""
    from bench.catalog.pretrained import sources_of

    synthetic = {run.dataset: run.spec.data.synthetic for run in plan}
    methods, seeds = {run.method for run in plan}, {run.spec.seed for run in plan}
    kinds = ("model or variant", "models and variants") if any(run.variant for run in plan) else ("model", "models")
    text = (
        f"{suite.title}: {counted(len(plan), 'run')} = {counted(len(synthetic), 'data set')} "
        f"({sum(synthetic.values())} synthetic) x {counted(len(methods), *kinds)} x {counted(len(seeds), 'seed')}; "
        f"data folder: {catalog.data_dir or 'none'}"
    )
    print_line(text)
    lacking = dict.fromkeys(
        run.method for run in plan if run.spec.weights_sha256 is None and sources_of(run.model, run.spec.config)
    )
    if lacking:
        print_line(
            f"the pre-trained weights of {', '.join(lacking)} are not here, and their digest is not known: the ids of "
            "these runs will be others; fetch the weights first with 'stbench weights fetch', as 'stbench run' tries to"
        )


def show_left_out(console: Console, left_out: Mapping[str, BenchError]) -> None:
    """Say of which data sets there are no runs, since they cannot be read."""
    for what, why in left_out.items():
        warn_on(console, f"left out: {what}: {why}")


def expect(
    console: Console,
    plan: Sequence[PlannedRun],
    catalog: Catalog,
    results: Path,
    executor: Executor | None,
    *,
    threads: int,
    limit: float | None = None,
    force: bool,
    thorough: bool,
) -> Expected:
    """How long the missing runs will take: from earlier records, else from short trials, which a bar shows.

    With ``thorough`` all unknown paces are tried, else only those whose trial is cheap beside its runs, each for at
    most ``limit`` seconds, and all of them for two minutes. Without an executor that works here nothing is known.
    """
    from bench.records.store import ResultStore
    from bench.runs import estimate
    from bench.runs.fork_server import warm_up
    from bench.runs.precision import name_of
    from bench.runs.preloading import large_libraries
    from bench.runs.timing import paces_with_trials

    store = ResultStore(results)
    todo = [*plan] if force else [run for run in plan if not store.has(run.dataset, run.model, run.run_id)]
    if executor is None or executor.here is None:
        return Expected(
            paces=None, todo=todo, jobs=1, span=0.0, seconds={}, unknown=len(todo), bound=False, failures={}
        )
    device = executor.here
    if todo and not thorough:
        warm_up(large_libraries(todo))  # a dry run may need no process
    with console.status("reading the sizes of the data sets"):
        shapes = estimate.shapes_of(todo, catalog)
        unread: list[str] = []
        glances = store.glances(lambda error: unread.append(str(error)))
        known = estimate.paces_from_records(glances, name_of(device)) if todo else {}
    if thorough:  # else it is said of what is left out of the tables
        say_unread(unread)
    trials = estimate.trials(todo, known, shapes, cheap=not thorough)
    with bars(console) as progress:
        paces, failures = paces_with_trials(
            trials,
            known,
            catalog,
            device,
            _shown_on(progress, len(trials)),
            threads=threads,
            limit=limit,
            budget=estimate.TRIALS_S,
        )
    return _expected(plan, todo, paces, shapes, executor.jobs, failures)


def _expected(
    plan: Sequence[PlannedRun],
    todo: Sequence[PlannedRun],
    paces: Mapping[str, Pace],
    shapes: Mapping[str, tuple[int, ...]],
    jobs: int,
    failures: Mapping[str, str],
) -> Expected:
    """The order of a plan, and how long what is to do of it takes at these paces."""
    from bench.runs import estimate, order

    timed = [(run, pace) for run in todo if (pace := paces.get(estimate.pace_key(run.spec)))]
    begun = order.in_order(plan, paces, shapes, jobs)
    missing = {run.run_id for run in todo}
    lengths = (estimate.total_seconds([run], paces, shapes) for run in begun if run.run_id in missing)
    return Expected(
        paces=paces,
        todo=todo,
        jobs=jobs,
        span=order.span(lengths, jobs),
        seconds=_seconds([run for run, _ in timed], paces, shapes),
        unknown=len(todo) - len(timed),
        bound=any(pace.trained and run.spec.train.patience < run.spec.train.epochs for run, pace in timed),
        failures=failures,
    )


def _seconds(
    runs: Sequence[PlannedRun], paces: Mapping[str, Pace], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, float]:
    """By data set."""
    from bench.runs import estimate

    by_data = {name: [run for run in runs if run.dataset == name] for name in shapes}
    return {name: estimate.total_seconds(some, paces, shapes) for name, some in by_data.items()}


def _shown_on(progress: Progress, trials: int) -> Callable[[PlannedRun], None]:
    """A bar that names each trial as it begins."""
    bar = progress.add_task("trying how fast this machine is", total=trials, note="", completed=-1)
    return lambda run: progress.update(bar, advance=1, note=f"{escape(run.method)} on {run.dataset}")


def announce(console: Console, expected: Expected) -> None:
    """Print how long the runs will take, in one line; nothing if none is to do or nothing is known."""
    if expected.todo and expected.time:
        console.print(f"{counted(len(expected.todo), 'run')} to do, {expected.time}", highlight=False, soft_wrap=True)


def show_expected(console: Console, plan: Sequence[PlannedRun], expected: Expected) -> None:
    """Print a plan as a table: what is there of each data set, and how long the rest may take."""
    table = Table("data set", "runs", "in the store", "time for the rest", title="plan")
    for name in dict.fromkeys(run.dataset for run in plan):
        planned, rest = (sum(run.dataset == name for run in runs) for runs in (plan, expected.todo))
        seconds = expected.seconds.get(name)
        time = "—" if not rest else f"about {duration(seconds)}" if seconds else "not known"
        table.add_row(name, str(planned), str(planned - rest), time)
    console.print(table)
    time = f", {expected.time}" if expected.todo and expected.time else ""
    console.print(f"{len(expected.todo)} of {counted(len(plan), 'run')} to do{time}; nothing was run", highlight=False)
    for reason in dict.fromkeys(expected.failures.values()):
        methods = ", ".join(method for method, why in expected.failures.items() if why == reason)
        text = f"[yellow]not in the estimate: {escape(methods)}: {escape(reason)}[/yellow]"
        console.print(text, highlight=False, soft_wrap=True)
