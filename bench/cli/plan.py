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
        paces: As far as they are known or guessed; None where other machines make the runs, so that nothing was tried.
        todo: The runs that are not in the store.
        seconds: By data set, one run after another, of the runs that have a pace.
        jobs: How many runs go side by side.
        span: Seconds that all of these take then.
        untimed: The runs that are in no such number.
        guessed: How many runs are in them at the pace of other settings of their model, and how many of the settings
            of each such model were timed.
        bound: Whether training may stop earlier, so that the numbers are upper bounds.
        failures: By method, why it could not be tried.
    """

    paces: Mapping[str, Pace] | None
    todo: Sequence[PlannedRun]
    seconds: Mapping[str, float]
    jobs: int
    span: float
    untimed: Sequence[PlannedRun]
    guessed: tuple[int, str] = (0, "")
    bound: bool
    failures: Mapping[str, str]

    @property
    def time(self) -> str:
        """All of it as a person says it; empty if nothing is known."""
        if len(self.untimed) == len(self.todo):
            return ""
        beside = f" with {self.jobs} runs side by side" if self.jobs > 1 else ""
        number, of_models = self.guessed
        guess = f", {number} of them guessed from runs of the same model ({of_models})" if number else ""
        without = f", {len(self.untimed)} of them not timed" if self.untimed else ""
        return f"{self.least(self.untimed)}{duration(self.span)} on this machine{beside}{guess}{without}"

    def least(self, untimed: Sequence[PlannedRun]) -> str:
        """What stands before a time that has so many runs not in it."""
        most = "at most about " if self.bound and not self.guessed[0] else "about "
        return "at least " if untimed else most

    def rest(self, dataset: str) -> str:
        """Of a data set the time of what is to do, one run after another."""
        untimed = [run for run in self.untimed if run.dataset == dataset]
        if not any(run.dataset == dataset for run in self.todo):
            return "—"
        seconds = self.seconds.get(dataset)
        return f"{self.least(untimed)}{duration(seconds)}" if seconds else "not known"


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
        return Expected(paces=None, todo=todo, jobs=1, span=0.0, seconds={}, untimed=todo, bound=False, failures={})
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
    """The order of a plan, and how long what is to do of it takes at these paces, and at those guessed from them."""
    from bench.runs import estimate, order
    from bench.runs.timing import NO_TIME

    guesses = estimate.guessed(plan, paces, [method for method, why in failures.items() if why != NO_TIME])
    timed, paces = paces, {**paces, **{key: pace for key, (_, pace) in guesses.items()}}
    with_pace = [(run, pace) for run in todo if (pace := paces.get(estimate.pace_key(run.spec)))]
    begun = order.in_order(plan, paces, shapes, jobs)
    missing = {run.run_id for run in todo}
    lengths = (estimate.total_seconds([run], paces, shapes) for run in begun if run.run_id in missing)
    return Expected(
        paces=paces,
        todo=todo,
        jobs=jobs,
        span=order.span(lengths, jobs),
        seconds=_seconds([run for run, _ in with_pace], paces, shapes),
        untimed=[run for run in todo if estimate.pace_key(run.spec) not in paces],
        guessed=_guessed(plan, todo, timed, {key: model for key, (model, _) in guesses.items()}),
        bound=any(pace.trained and run.spec.train.patience < run.spec.train.epochs for run, pace in with_pace),
        failures=failures,
    )


def _guessed(
    plan: Sequence[PlannedRun], todo: Sequence[PlannedRun], timed: Mapping[str, Pace], guesses: Mapping[str, str]
) -> tuple[int, str]:
    """How many runs have no pace but a guessed one, and of each such model from how many of its settings."""
    from bench.runs.estimate import pace_key

    rest = [run for run in todo if pace_key(run.spec) in guesses]
    kinds = {pace_key(run.spec): run.model for run in plan}
    texts = []
    for model in dict.fromkeys(run.model for run in rest):
        alike = [key for key in kinds if kinds[key] == model]
        texts.append(f"{model}: {sum(key in timed for key in alike)} of {len(alike)} settings timed")
    return len(rest), ", ".join(texts)


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
    column = "time for the rest, one run after another" if expected.jobs > 1 else "time for the rest"
    table = Table("data set", "runs", "in the store", column, title="plan")
    for name in dict.fromkeys(run.dataset for run in plan):
        planned, rest = (sum(run.dataset == name for run in runs) for runs in (plan, expected.todo))
        table.add_row(name, str(planned), str(planned - rest), expected.rest(name))
    console.print(table)
    time = f", {expected.time}" if expected.todo and expected.time else ""
    console.print(f"{len(expected.todo)} of {counted(len(plan), 'run')} to do{time}; nothing was run", highlight=False)
    untimed = {run.method for run in expected.untimed}
    failures = {method: why for method, why in expected.failures.items() if method in untimed}
    for reason in dict.fromkeys(failures.values()):
        methods = ", ".join(method for method, why in failures.items() if why == reason)
        text = f"[yellow]not in the estimate: {escape(methods)}: {escape(reason)}[/yellow]"
        console.print(text, highlight=False, soft_wrap=True)
