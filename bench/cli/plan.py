"""What is printed of a plan before it runs: its size, and the time it will take on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from bench.cli.console import bars, print_line, say_unread, warn_on
from bench.cli.terminal import Console
from bench.errors import BenchError
from bench.plain_text import counted, duration, listed

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
        lengths: Seconds of each run that is to do, by its id, in the order in which they begin; 0 of those without one.
        jobs: How many runs go side by side.
        span: Seconds that all of these take then.
        untimed: The runs that are in no such number.
        guessed: How many runs are in them at the pace of other settings of their model, and how many of the settings
            of each such model were timed.
        bound: Whether training may stop before its last epoch, so that it takes less.
        failures: By method, why it could not be tried.
    """

    paces: Mapping[str, Pace] | None
    todo: Sequence[PlannedRun]
    seconds: Mapping[str, float] = field(default_factory=dict)
    lengths: Mapping[str, float]
    jobs: int = 1
    span: float = 0.0
    untimed: Sequence[PlannedRun]
    guessed: tuple[int, str] = (0, "")
    bound: bool = False
    failures: Mapping[str, str] = field(default_factory=dict)

    @property
    def time(self) -> str:
        """All of it as a person says it; empty if nothing is known."""
        others = len(self.untimed)
        if others == len(self.todo):
            return ""
        part = f"{len(self.todo) - others} of them in " if others else ""
        beside = f" with {self.jobs} runs side by side" if self.jobs > 1 else ""
        early = ", less where training stops early" if self.bound else ""
        number, of_models = self.guessed
        guess = f", {number} of them guessed from runs of the same model ({of_models})" if number else ""
        rest = f"; how long the other {f'{others} take' if others > 1 else 'one takes'} is not known" if others else ""
        return f"{part}about {duration(self.span)} on this machine{beside}{early}{guess}{rest}"

    def rest(self, dataset: str) -> str:
        """Of a data set the time of what is to do, one run after another."""
        untimed = sum(run.dataset == dataset for run in self.untimed)
        if not any(run.dataset == dataset for run in self.todo):
            return "—"
        seconds = self.seconds.get(dataset)
        without = (
            f" without {counted(untimed, 'run')} that {'is' if untimed == 1 else 'are'} not timed" if untimed else ""
        )
        return f"about {duration(seconds)}{without}" if seconds else "not known"


def heading(suite: Suite, plan: Sequence[PlannedRun]) -> str:
    """The title of a suite, with the tasks of a plan of it if these are not the suite's own."""
    from bench.analysis.suite_groups import title_of

    return title_of(suite, (run.spec.task.name for run in plan))


def show_plan(suite: Suite, plan: Sequence[PlannedRun], catalog: Catalog) -> None:
    """Print the size of a plan in one line."""
    synthetic = {run.dataset: run.spec.data.synthetic for run in plan}
    methods, seeds = {run.method for run in plan}, {run.spec.seed for run in plan}
    kinds = ("model or variant", "models and variants") if any(run.variant for run in plan) else ("model", "models")
    text = (
        f"{heading(suite, plan)}: {counted(len(plan), 'run')} = {counted(len(synthetic), 'data set')} "
        f"({sum(synthetic.values())} synthetic) x {counted(len(methods), *kinds)} x {counted(len(seeds), 'seed')}; "
        f"data folder: {catalog.data_dir or 'none'}"
    )
    print_line(text)


def show_left_out(console: Console, left_out: Mapping[str, BenchError]) -> None:
    """Say of which data sets there are no runs, since they cannot be read."""
    for what, why in left_out.items():
        warn_on(console, f"left out: {what}: {why}")


def to_do(plan: Sequence[PlannedRun], results: Path, *, force: bool) -> list[PlannedRun]:
    """The runs that are not in the store; all of them where they are repeated by force."""
    from bench.records.store import ResultStore

    store = ResultStore(results)
    return [run for run in plan if force or not store.has(run.dataset, run.model, run.run_id)]


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

    store, todo = ResultStore(results), to_do(plan, results, force=force)
    if executor is None or executor.here is None:
        return Expected(paces=None, todo=todo, lengths=dict.fromkeys((run.run_id for run in todo), 0.0), untimed=todo)
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
    lengths = {run.run_id: estimate.total_seconds([run], paces, shapes) for run in begun if run.run_id in missing}
    return Expected(
        paces=paces,
        todo=todo,
        jobs=min(jobs, len(todo)),
        span=order.span(lengths.values(), jobs),
        lengths=lengths,
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
    bar = progress.add_task("trying how fast this machine is", total=trials, note="", visible=trials > 0)
    begun = count()
    return lambda run: progress.update(bar, completed=next(begun), note=f"{escape(run.method)} on {run.dataset}")


def announce(console: Console, expected: Expected, profile: str = "") -> None:
    """Print how long the runs will take, and by which profile if one is named, in one line.

    Nothing is printed if none is to do, or nothing is known.
    """
    by = f"profile {profile}" if profile else ""
    if expected.todo and (expected.time or by):
        texts = filter(None, (f"{counted(len(expected.todo), 'run')} to do", by, expected.time))
        console.print(", ".join(texts), highlight=False, soft_wrap=True)


def show_expected(console: Console, plan: Sequence[PlannedRun], expected: Expected) -> None:
    """Print a plan as a table: what is there of each data set, and how long the rest may take."""
    column = "time for the rest, one run after another" if expected.jobs > 1 else "time for the rest"
    table = Table("data set", "runs", "in the store", column, title="plan")
    for name in dict.fromkeys(run.dataset for run in plan):
        planned, rest = (sum(run.dataset == name for run in runs) for runs in (plan, expected.todo))
        table.add_row(name, str(planned), str(planned - rest), expected.rest(name))
    console.print(table)
    time = f", {expected.time}" if expected.todo and expected.time else ""
    there = "; how long that takes elsewhere is not known: without --executor a dry run says it of this machine"
    time += there if expected.todo and expected.paces is None else ""
    text = f"{len(expected.todo)} of {counted(len(plan), 'run')} to do{time}; nothing was run"
    console.print(text, highlight=False, soft_wrap=True)
    for sentence in _untimed(expected):
        warn_on(console, f"not in the estimate: {sentence}")


def _untimed(expected: Expected) -> Iterator[str]:
    """Which methods are in no time, and why, with what to do where only their trials had no time."""
    from bench.runs.timing import NO_TIME

    methods = dict.fromkeys(run.method for run in expected.untimed)
    failures = {method: expected.failures[method] for method in methods if method in expected.failures}
    option = "--variant" if any(run.variant for run in expected.untimed) else "--model"
    remedy = f"; a dry run of one of them alone, by {option}, has this time for it"
    several = len({run.method for run in expected.todo}) > 1
    for reason in dict.fromkeys(failures.values()):
        names = listed(method for method, why in failures.items() if why == reason)
        yield f"{names}: {reason}{remedy if reason == NO_TIME and several else ''}"
