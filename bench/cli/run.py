"""The command ``run``: from a suite and options to a plan, and from the plan to records and tables."""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import ConsoleObserver, print_line, warn_on
from bench.cli.execution import ExecutionOptions
from bench.cli.leaderboard import outcome_of
from bench.cli.looking import cache_in
from bench.cli.missing import missing, missing_weights
from bench.cli.option_groups import with_options
from bench.cli.options import PlanOptions, typed
from bench.cli.plan import announce, expect, show_expected, show_left_out, show_plan, to_do
from bench.cli.terminal import Console
from bench.errors import BenchError
from bench.plain_text import counted, first_few, listed
from bench.records.saved import NOTHING, Saving

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from bench.catalog.data import Catalog
    from bench.records.planned import PlannedRun
    from bench.records.tracking_process import TrackerBeside
    from bench.runs.estimate import Pace
    from bench.runs.executors import Asked, Executor
    from bench.runs.runner import Observer
    from bench.runs.session import Fetched
    from bench.runs.suite import Suite

NEXT = (
    "To make it real: stbench run --dataset NAME --data-dir DIR --profile laptop (a night) or paper (to quote); "
    "your own array: stbench data import"
)
NEXT_ON_REAL_DATA = (
    "For real numbers: {what} with --profile laptop (short training) or paper (to quote); "
    "--dry-run says how long either takes"
)


@dataclass(frozen=True, kw_only=True)
class MakingOptions:
    """Whether and how the planned runs are made, and what is kept of them."""

    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Show the planned runs, what is not here for them and how long they may take; run nothing.",
        ),
    ] = False
    force: Annotated[
        bool, typer.Option("--force", help="Repeat finished runs; the old records are kept in superseded/.")
    ] = False
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Train with torch.compile, which pays on long runs if at all."),
    ] = False
    save_forecasts: Annotated[
        bool, typer.Option("--save-forecasts", help="Keep all test forecasts of each run, in results/forecasts.")
    ] = False
    save_weights: Annotated[
        bool, typer.Option("--save-weights", help="Keep the scored weights of each run, in results/weights.")
    ] = False

    @property
    def saving(self) -> Saving:
        return Saving(forecasts=self.save_forecasts, weights=self.save_weights)


@with_options(ExecutionOptions, name="execution")
@with_options(PlanOptions)
@with_options(MakingOptions, name="making")
def run(*, options: PlanOptions, execution: ExecutionOptions, making: MakingOptions) -> None:
    """Run a suite; finished runs are not repeated, and tables are written at the end.

    Exit code 0: all done. 1: some runs failed, or some data cannot be read. 2: the command is wrong, or no data can be
    read.
    """
    with cache_in(options.results, looking=making.dry_run) as cache:
        plan, left_out, failed = _made(options, execution, making, cache)
    if options.profile == "quick" and len(plan) > failed:
        print_line(_next_step(plan))
    show_left_out(Console(), left_out)  # again, where a person looks
    if failed or left_out:
        raise typer.Exit(1)


def _made(
    options: PlanOptions, execution: ExecutionOptions, making: MakingOptions, cache: Path
) -> tuple[list[PlannedRun], Mapping[str, BenchError], int]:
    """Plan the runs and make them, or show the plan; returns it, what is left out of it, and how many runs failed."""
    from bench.records.mlflow_address import left_to_sync

    dry, tracked = making.dry_run, options.prepare(track=not making.dry_run)
    console, suite = Console(), options.chosen_suite
    catalog = replace(options.catalog, time_limit=execution.time_limit, cache=cache)
    asked = execution.asked(options.device, partial(console.print, style="dim", highlight=False, soft_wrap=True))
    executor = asked.made() if asked.here else None  # another one is connected to when there is something to make
    plan, left_out = _planned(console, options, suite, catalog, fetch=_fetched(asked, dry=dry))
    threads, limit, force = execution.threads, execution.time_limit, making.force
    _say_searched_before(plan, options.results)
    _say_missing(console, plan if dry else to_do(plan, options.results, force=force), options, catalog, dry=dry)
    expected = expect(
        console, plan, catalog, options.results, executor, threads=threads, limit=limit, force=force, thorough=dry
    )
    if dry:
        show_expected(console, plan, expected)
        return plan, left_out, 0
    announce(console, expected)
    lacking = left_to_sync(tracked, options.results, len(plan) - len(expected.todo))
    _say_unsaved(plan, options.results, making.saving if not force else NOTHING, before=True)
    with _tracker(console, tracked, options, suite, plan) as trackers:  # waited for behind the tables
        outcome = _execute(
            console, plan, catalog, executor or asked, trackers, expected.paces, options, execution, making
        )
        written = _finish(console, options, suite, plan, outcome, force=force)
        for tracker in trackers:
            tracker.files_written(written)
        _say_unsaved(expected.todo, options.results, making.saving, before=False)
    if lacking:
        print_line(lacking)
    return plan, left_out, outcome["failed"]


def _next_step(plan: Iterable[PlannedRun]) -> str:
    """What a person does after runs of the quick profile; settings that were tuned in it are good for no other."""
    if any(run.spec.data.synthetic for run in plan):
        return NEXT
    tuned = any(run.spec.tuned for run in plan)
    return NEXT_ON_REAL_DATA.format(what=f"{'tuning, then ' * tuned}the same command")


def _planned(
    console: Console,
    options: PlanOptions,
    suite: Suite,
    catalog: Catalog,
    *,
    fetch: Fetched,
) -> tuple[list[PlannedRun], dict[str, BenchError]]:
    """The plan, of which is printed how large it is, and what is left out of it."""
    from bench.runs.plan import variants_left_out

    left_out: dict[str, BenchError] = {}
    with console.status("reading the data sets"):
        plan = options.plan(suite, catalog, left_out, fetch=fetch)
    show_left_out(console, left_out)
    if options.shard and not plan:
        whole = replace(options, shard=None).plan(suite, catalog, {})
        print_line(f"part {options.shard} is empty: the plan has {counted(len(whole), 'run')}")
        raise typer.Exit(1 if left_out else 0)
    if options.profile == "quick":
        print_line(_quick(plan))
    show_plan(suite, plan, catalog)
    if without := variants_left_out(suite, options.selection):
        print_line(
            f"left out, since they start from pre-trained weights and weights are random here: {listed(without)}; name "
            "one by --variant, or take another --profile"
        )
    return plan, left_out


def _fetched(asked: Asked, *, dry: bool) -> Fetched:
    """Which weights are fetched for a plan: other machines may have no network."""
    return "nothing" if dry else "unknown" if asked.here else "all"


def _say_searched_before(plan: Sequence[PlannedRun], results: Path) -> None:
    """Warn of tuned settings that were found with other code; they are taken all the same."""
    from bench.runs.tuned import TunedFolder

    if other := TunedFolder(results).of_other_code(plan):
        warn_on(
            Console(stderr=True),
            f"the settings of {first_few(other)} were tuned with other code than today's; tune again",
        )


def _say_missing(
    console: Console, plan: Sequence[PlannedRun], options: PlanOptions, catalog: Catalog, *, dry: bool
) -> None:
    """Say what is not here, before trials or runs, which take long; the quick profile is meant for synthetic data."""
    usual = options.profile == "quick" and not dry
    for sentence in missing_weights(plan) if usual else missing(plan, catalog):
        warn_on(console, f"missing: {sentence}")


def _execute(
    console: Console,
    plan: Sequence[PlannedRun],
    catalog: Catalog,
    executor: Executor | Asked,
    trackers: Sequence[Observer],
    paces: Mapping[str, Pace] | None,
    options: PlanOptions,
    execution: ExecutionOptions,
    making: MakingOptions,
) -> Counter[str]:
    """Make the runs of a plan, and count what became of them."""
    from bench.records.store import ResultStore
    from bench.runs.session import execute

    with ConsoleObserver(console, len(plan), ResultStore(options.results), traceback=execution.traceback) as screen:
        return execute(
            plan,
            catalog,
            options.results,
            executor=executor,
            force=making.force,
            compiled=making.compiled,
            time_limit=execution.time_limit,
            paces=paces,
            observers=[screen, *trackers],
            saving=making.saving,
        )


def _say_unsaved(plan: Sequence[PlannedRun], results: Path, saving: Saving, *, before: bool) -> None:
    """Say of which finished runs that is not there which is to be saved, and after the runs where the rest is."""
    from bench.records.saved import saved_path
    from bench.runs.session import unsaved

    for sentence in unsaved(plan, results, saving, before=before):
        print_line(sentence)
    for kind in () if before else saving.kinds:
        if saved := sum(saved_path(results, run, kind).exists() for run in plan):
            print_line(f"saved {kind} of {counted(saved, 'run')}: {results / kind}")


def _quick(plan: Sequence[PlannedRun]) -> str:
    """What the quick profile leaves out, in a line."""
    steps = max((run.spec.train.epochs * run.spec.train.steps_per_epoch for run in plan), default=0)
    windows = max((run.spec.task.scored for run in plan), default=0)
    texts = (f"at most {steps} training steps" if steps else "", f"{windows} scored windows" if windows else "")
    limits = ", ".join(filter(None, texts))
    return f"profile quick: {limits}, so ranks mean nothing" if limits else "profile quick: ranks mean nothing"


@contextmanager
def _tracker(
    console: Console, uri: str | None, options: PlanOptions, suite: Suite, plan: Sequence[PlannedRun]
) -> Iterator[list[TrackerBeside]]:
    """What writes to MLflow, if anything does."""
    if uri is None:
        yield []
        return
    from bench.catalog.registry import needs_own_file
    from bench.records.mlflow_command import Command
    from bench.records.tracking_process import TrackerBeside

    command = Command(
        name="stbench run",
        words=typed(),
        suite=suite.name,
        profile=options.profile,
        datasets=tuple(dict.fromkeys(run.dataset for run in plan)),
        methods=tuple(dict.fromkeys(run.method for run in plan)),
    )
    warn = partial(warn_on, console)
    with TrackerBeside(uri, options.results, warn=warn, command=command, own=needs_own_file) as tracker:
        yield [tracker]


def _finish(
    console: Console,
    options: PlanOptions,
    suite: Suite,
    plan: Sequence[PlannedRun],
    outcome: Counter[str],
    *,
    force: bool,
) -> list[Path]:
    """Write tables and figures, and say what became of the plan; of runs that are only queued say so."""
    from bench.cli.output import write_both

    if queued := len(plan) - outcome.total():  # with --slurm-detach
        again = f"the same command without --slurm-detach{' and --force' if force else ''}"
        print_line(f"{queued} queued; {again} follows them and writes the tables")
        return []
    written = write_both(options.results, [options.suite] if options.suite else [])
    console.print(outcome_of(plan, suite, options.results), highlight=False)
    tables, figures = (", ".join(str(p) for p in written if p.suffix == ending) for ending in (".md", ".png"))
    counts = f"{outcome['done']} done, {outcome['skipped']} already there, {outcome['failed']} failed"
    text = f"{counts}; tables (also as .tex and .csv): {tables or 'none yet'}"
    text += f"; figures (also as .pdf): {figures}" if figures else ""
    print_line(text)
    where = f" {shlex.quote(options.suite)}" if options.suite and options.suite.endswith(".toml") else ""
    where += "" if options.results == Path("results") else f" --results {shlex.quote(str(options.results))}"
    print_line(f"all of it in one file to read: stbench report{where}")
    return written
