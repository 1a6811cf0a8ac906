"""The command ``run``: from a suite and options to a plan, and from the plan to records and tables."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group

from bench.cli.console import ConsoleObserver, grid, print_line
from bench.cli.options import PlanOptions, with_options
from bench.cli.plan import announce, expect, show_expected, show_plan
from bench.settings import RANDOM

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from bench.catalog.data import Catalog
    from bench.records.planned import PlannedRun

QUICK_WARNING = (
    "[yellow]Profile quick: budgets are tiny and ranks mean nothing.[/yellow] "
    "For numbers to quote: [bold]stbench run --all --profile paper[/bold]"
)


@with_options(PlanOptions)
def run(
    *,
    options: PlanOptions,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the planned runs and the time they may take; run nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Repeat finished runs; the old records are kept in a backup.")
    ] = False,
    compiled: Annotated[
        bool,
        typer.Option("--compile", help="Train with torch.compile, which pays on long runs if at all."),
    ] = False,
) -> None:
    """Run a suite; finished runs are not repeated, and tables are written at the end.

    Exit code 0: all done. 1: some runs failed. 2: the command or its data are wrong.
    """
    tracked = options.prepare(track=not dry_run)
    console, suite, catalog = Console(), options.chosen_suite, options.catalog
    quick = options.profile == "quick"
    if quick:
        console.print(QUICK_WARNING, soft_wrap=True)
    with console.status("reading the data sets"):
        plan = options.plan(suite, catalog, fetch=not dry_run)
    show_plan(suite, plan, catalog)
    expected = expect(console, plan, catalog, options.results, options.device, force=force, thorough=dry_run)
    if dry_run:
        show_expected(console, plan, expected)
    else:
        announce(console, expected)
        outcome = _execute(console, expected.order, catalog, options, tracked, force=force, compiled=compiled)
        _finish(console, options, plan, outcome)
    if quick:
        console.print(QUICK_WARNING, soft_wrap=True)
    if not dry_run and outcome["failed"]:
        raise typer.Exit(1)


def _execute(
    console: Console,
    plan: Sequence[PlannedRun],
    catalog: Catalog,
    options: PlanOptions,
    tracking_uri: str | None,
    *,
    force: bool,
    compiled: bool,
) -> Counter[str]:
    from bench.runs.runner import Observer
    from bench.runs.session import execute

    with ExitStack() as stack:
        screen = stack.enter_context(ConsoleObserver(console, len(plan)))
        observers: list[Observer] = [screen]
        if tracking_uri is not None:
            from bench.records.tracking import Tracker

            observers.append(stack.enter_context(Tracker(tracking_uri, options.results, warn=screen.warn)))
        return execute(
            plan,
            catalog,
            options.results,
            device=options.device,
            force=force,
            compiled=compiled,
            observers=observers,
        )


def _finish(console: Console, options: PlanOptions, plan: list[PlannedRun], outcome: Counter[str]) -> None:
    """Write tables and figures, and say what became of the plan."""
    from bench.cli.output import write_both

    written = write_both(options.results, [options.suite] if options.suite else [])
    console.print(_summary(plan, options.results))
    tables, figures = (", ".join(str(p) for p in written if p.suffix == ending) for ending in (".md", ".png"))
    counts = f"{outcome['done']} done, {outcome['skipped']} already there, {outcome['failed']} failed"
    text = f"{counts}; tables (also as .tex and .csv): {tables or 'none yet'}"
    text += f"; figures (also as .pdf): {figures}" if figures else ""
    print_line(text)
    print_line("all of it in one file to read: stbench report")


def _summary(plan: list[PlannedRun], results: Path) -> Group:
    """Mean test MAE over seeds, data sets (and tasks, if several) x methods, of this plan alone."""
    from bench.analysis.table import MARKS, marked
    from bench.records.record import DoneRun
    from bench.records.store import ResultStore

    store = ResultStore(results)
    several = len({run.spec.task.name for run in plan}) > 1
    scores: dict[tuple[str, str], list[float]] = {}
    for run in plan:
        dataset = marked(run.dataset, ["synthetic"] if run.spec.data.synthetic else [])
        method = marked(run.method, ["random_weights"] if run.spec.weights in RANDOM else [])
        row = f"{dataset} {run.spec.task.name}" if several else dataset
        stored = store.has(run.dataset, run.model, run.run_id)
        record = store.read(run.dataset, run.model, run.run_id) if stored else None
        for name, channel in (record.cuts if isinstance(record, DoneRun) else {"": None}).items():
            values = scores.setdefault((f"{row}: {name}" if name else row, method), [])
            mae = record.score("mae", channel) if isinstance(record, DoneRun) else None
            values += [] if mae is None else [mae]
    shown = "".join(dataset + method for dataset, method in scores)
    notes = ((MARKS["synthetic"][0], "synthetic data"), (MARKS["random_weights"][0], "random weights"))
    caption = ", ".join(f"{mark} {note}" for mark, note in notes if mark in shown)
    texts = {key: f"{fmean(values):.4g}" if values else "—" for key, values in scores.items()}
    return grid(texts, "test MAE", caption or None)
