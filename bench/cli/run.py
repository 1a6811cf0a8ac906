"""The commands ``run`` and ``status``: from a suite and options to a plan, and from the plan to records and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table

from bench.cli.options import (
    All,
    Compile,
    DataDir,
    Datasets,
    Device,
    DryRun,
    Force,
    Models,
    ProfileOption,
    ProtocolOption,
    Results,
    Seeds,
    SetOption,
    Shard,
    SuiteOption,
    TaskOption,
    Track,
    TrackingUri,
    UseTuned,
    Variants,
    WeightsDir,
    current_frame,
    open_catalog,
    tracking_store,
    use_weights_dir,
    write_current,
)
from bench.cli.plan import announce, expect, show_expected, show_plan
from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.runs.plan import Selection
    from bench.runs.runner import Outcome
    from bench.runs.spec import PlannedRun
    from bench.runs.suite import Suite
    from bench.runs.tuned import TunedFolder

QUICK_WARNING = (
    "[yellow]Profile quick: budgets are tiny and ranks mean nothing.[/yellow] "
    "For numbers to quote: [bold]python -m bench run --all --profile paper[/bold]"
)
MOST_COLUMNS = 8  # more lines than this run down the screen
FEW_COLUMNS = 5  # data sets beside them at once
LONG_NAME = 12  # a longer column header breaks behind its underscores
STATE_COLOURS = {"done": "green", "stale": "yellow", "failed": "red", "missing": "dim"}


def run(
    *,
    everything: All = False,
    suite: SuiteOption = None,
    model: Models = None,
    variant: Variants = None,
    dataset: Datasets = None,
    seed: Seeds = None,
    profile: ProfileOption = "quick",
    protocol: ProtocolOption = None,
    task: TaskOption = None,
    override: SetOption = None,
    shard: Shard = None,
    data_dir: DataDir = None,
    weights_dir: WeightsDir = None,
    results: Results = Path("results"),
    device: Device = "auto",
    dry_run: DryRun = False,
    force: Force = False,
    compiled: Compile = False,
    tuned: UseTuned = False,
    tracking_uri: TrackingUri = None,
    track: Track = True,
) -> None:
    """Run a suite. What the store already has is not repeated; the tables are written at the end.

    Exit code 0: all done. 1: some runs failed. 2: the command or its data are wrong.
    """
    from bench.runs.plan import plan as make_plan

    if not (everything or suite or model or dataset):
        raise ConfigError("nothing was asked for; say --all, --suite NAME, --dataset NAME or --model NAME")
    use_weights_dir(weights_dir)
    selection = _selection(model, variant, dataset, seed, profile, protocol, task, override, shard)
    catalog, chosen = open_catalog(data_dir, results), _suite(everything, suite)
    console = Console()
    if profile == "quick":
        console.print(QUICK_WARNING, soft_wrap=True)
    with console.status("reading the data sets"):
        plan = make_plan(chosen, selection, catalog, _tuned_folder(results, wanted=tuned or chosen.tuned is True))
    show_plan(console, chosen, plan, catalog)
    expected = expect(console, plan, catalog, results, device, force=force, thorough=dry_run)
    if dry_run:
        show_expected(console, plan, expected)
    else:
        announce(console, expected)
        outcome = _execute(
            console,
            plan,
            catalog,
            results,
            device,
            force,
            compiled,
            tracking_store(tracking_uri, results) if track else None,
        )
        _report(console, suite, plan, results, outcome)
    if profile == "quick":
        console.print(QUICK_WARNING, soft_wrap=True)
    if not dry_run and outcome.failed:
        raise typer.Exit(1)


def status(
    *,
    everything: All = False,
    suite: SuiteOption = None,
    model: Models = None,
    variant: Variants = None,
    dataset: Datasets = None,
    seed: Seeds = None,
    profile: ProfileOption = "quick",
    protocol: ProtocolOption = None,
    task: TaskOption = None,
    override: SetOption = None,
    shard: Shard = None,
    tuned: UseTuned = False,
    data_dir: DataDir = None,
    results: Results = Path("results"),
) -> None:
    """Show what a suite has and lacks: done, stale, failed and missing runs per data set and line."""
    from bench.records.store import ResultStore
    from bench.runs.plan import plan as make_plan
    from bench.runs.status import plan_status

    chosen = _suite(everything, suite)
    selection = _selection(model, variant, dataset, seed, profile, protocol, task, override, shard)
    folder = _tuned_folder(results, wanted=tuned or chosen.tuned is True)
    plan = make_plan(chosen, selection, open_catalog(data_dir, results), folder)
    cells = plan_status(plan, ResultStore(results).records())
    console = Console()
    texts = {key: _states(cell.counts) for key, cell in cells.items()}
    console.print(_grid(texts, f"{chosen.title}, profile {profile}"))
    total = sum((Counter(cell.counts) for cell in cells.values()), Counter[str]())
    console.print(f"{len(plan)} runs: {_states(total)}", highlight=False)
    for (name, m), cell in cells.items():
        for reason in cell.reasons:
            console.print(f"[red]✗ {name} / {m}:[/red] {escape(reason)}", highlight=False, soft_wrap=True)


def _suite(everything: bool, name: str | None) -> Suite:
    from bench.runs.suite import layouts, load_suite

    if everything and name:
        raise ConfigError("--all is the suite short_term; give either --all or --suite")
    layouts([name or "short_term"])  # a wrong variant is told before the work, not after it
    return load_suite(name or "short_term")


def _selection(
    models: list[str] | None,
    variants: list[str] | None,
    datasets: list[str] | None,
    seeds: list[int] | None,
    profile: str,
    protocol: str | None,
    task: str | None,
    overrides: list[str] | None,
    shard: str | None,
) -> Selection:
    from bench.runs.plan import Selection

    return Selection(
        models=tuple(models or ()),
        variants=tuple(variants or ()),
        datasets=tuple(datasets or ()),
        seeds=tuple(seeds or ()),
        profile=profile,
        protocol=protocol,
        task=task,
        overrides=tuple(overrides or ()),
        shard=shard,
    )


def _tuned_folder(results: Path, *, wanted: bool) -> TunedFolder | None:
    from bench.runs.tuned import TunedFolder

    return TunedFolder(results) if wanted else None


def _execute(
    console: Console,
    plan: list[PlannedRun],
    catalog: Catalog,
    results: Path,
    device: str,
    force: bool,
    compiled: bool,
    tracking_uri: str | None,
) -> Outcome:
    from bench.cli.console import ConsoleObserver
    from bench.context import resolve_device
    from bench.runs.runner import Observer, Runner

    found = resolve_device(device)
    current_frame(results, None)  # a broken record is told before the work, not after it
    with ExitStack() as stack:
        screen = stack.enter_context(ConsoleObserver(console, len(plan)))
        observers: list[Observer] = [screen]
        if tracking_uri is not None:
            from bench.records.tracking import Tracker

            observers.append(stack.enter_context(Tracker(tracking_uri, results, warn=screen.warn)))
        return Runner(catalog, results, found, observers, compiled=compiled).run(plan, force=force)


def _report(console: Console, suite: str | None, plan: list[PlannedRun], results: Path, outcome: Outcome) -> None:
    from bench.analysis.tables.overviews import MAKERS
    from bench.runs.suite import suite_names

    names = list(dict.fromkeys([*suite_names(), suite or "short_term", *MAKERS]))
    written = write_current(results, "both", names=names)
    console.print(_summary(plan, results))
    tables, figures = (", ".join(str(p) for p in written if p.suffix == kind) for kind in (".md", ".png"))
    counts = f"{outcome.done} done, {outcome.skipped} already there, {outcome.failed} failed"
    text = f"{counts}; tables (also as .tex and .csv): {tables or 'none yet'}"
    text += f"; figures (also as .pdf): {figures}" if figures else ""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
    console.print("all of it in one file to read: stbench report", markup=False, highlight=False)


def _summary(plan: Sequence[PlannedRun], results: Path) -> Group:
    """Mean test MAE over seeds, data sets (and tasks, if several) x lines, of this plan alone."""
    from bench.records.store import ResultStore

    store = ResultStore(results)
    several = len({run.spec.task.name for run in plan}) > 1
    scores: dict[tuple[str, str], list[float]] = {}
    for run in plan:
        place = run.dataset + " †" * run.spec.data.stand_in + f" {run.spec.task.name}" * several
        found = scores.setdefault((place, run.line + " ‡" * (run.spec.weights == "random")), [])
        if store.has(run.dataset, run.model, run.run_id):
            record = store.read(run.dataset, run.model, run.run_id)
            found.append(record["scores"]["test"]["mae"]["overall"])
    shown = "".join(place + line for place, line in scores)
    notes = [note for mark, note in (("†", "† stand-in data"), ("‡", "‡ random weights")) if mark in shown]
    texts = {key: f"{fmean(values):.4g}" if values else "—" for key, values in scores.items()}
    return _grid(texts, "test MAE", ", ".join(notes) or None)


def _grid(texts: Mapping[tuple[str, str], str], title: str, caption: str | None = None) -> Group:
    """Data sets x lines that stays readable on a narrow terminal: many lines run down, beside few data sets at once."""
    places, lines = (list(dict.fromkeys(key[axis] for key in texts)) for axis in (0, 1))
    if len(lines) <= MOST_COLUMNS:
        return Group(_table(texts, "data set", places, lines, title, caption))
    parts = [places[start : start + FEW_COLUMNS] for start in range(0, len(places), FEW_COLUMNS)]
    turned = {(line, place): text for (place, line), text in texts.items()}
    return Group(*(_table(turned, "line", lines, part, title, caption) for part in parts))


def _table(
    texts: Mapping[tuple[str, str], str],
    corner: str,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    caption: str | None,
) -> Table:
    """Long column headers fold, names of rows never do."""
    table = Table(title=escape(title), caption=caption, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(corner, no_wrap=True)
    for name in columns:
        table.add_column(escape(name.replace("_", "_\n") if len(name) > LONG_NAME else name), overflow="fold")
    for row in rows:
        table.add_row(escape(row), *(texts.get((row, column), "") for column in columns))
    return table


def _states(counts: Mapping[str, int]) -> str:
    found = Counter(counts)
    return ", ".join(
        f"[{colour}]{found[state]} {state}[/{colour}]" for state, colour in STATE_COLOURS.items() if found[state]
    )
