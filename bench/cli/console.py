"""What a person sees while a plan runs: a bar for the plan, a bar for the run, one line per finished run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from bench.catalog import registry
from bench.cli.terminal import Console
from bench.plain_text import counted
from bench.records.channels import scores_line
from bench.records.planned import PlannedRun
from bench.records.record import FailedRun, Record
from bench.records.store import ResultStore
from bench.runs.progress import epochs_of
from bench.settings import RANDOM

if TYPE_CHECKING:
    from bench.runs.suite import Suite

MOST_COLUMNS = 8  # more methods than this run down the screen
FEW_COLUMNS = 5  # data sets beside them at once
MOST_NAMED = 5  # files in warnings
LONG_NAME = 12  # a longer column header breaks behind its underscores


def bars(console: Console) -> Progress:
    """Bars with the time that is left, each with a ``note``; none without a terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


class ConsoleObserver:
    """Follows a plan on a terminal; without a terminal it prints the lines and no bars."""

    def __init__(
        self, console: Console, runs: int, store: ResultStore | None = None, *, traceback: bool = False
    ) -> None:
        """Follow so many runs.

        Args:
            console: To print on.
            runs: Of the plan.
            store: Where the logs of failed runs are; None names no log.
            traceback: Whether to print the log of a failed run, too.
        """
        self._console, self._store, self._traceback = console, store, traceback
        self._progress = bars(console)
        self._plan = self._progress.add_task("plan", total=runs, note="runs")
        self._runs: dict[str, TaskID] = {}  # by run id, of those under way
        self._stored = 0

    def __enter__(self) -> ConsoleObserver:
        self._progress.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if self._stored:
            were = "was" if self._stored == 1 else "were"
            text = f"{counted(self._stored, 'run')} {were} already in the store and {were} not repeated"
            self._console.print(f"[dim]{text}[/dim]")

    def run_started(self, run: PlannedRun) -> None:
        total, note = (1, "not trained") if registry.is_naive(run.model) else (epochs_of(run), "epochs")
        self._runs[run.run_id] = self._progress.add_task(escape(run.title), total=total, note=note)

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None:
        note = f"train loss {row['train_loss']:.4f}, validation MAE {row['val_mae']:.4g}"
        self._progress.update(self._runs[run.run_id], completed=row["epoch"], note=note)

    def run_finished(self, run: PlannedRun, record: Record) -> None:
        self._progress.remove_task(self._runs.pop(run.run_id))
        self._progress.advance(self._plan)
        line, log = finished_line(run, record), None
        if isinstance(record, FailedRun) and self._store is not None:
            log = self._store.log(record)
            line += f"  [dim]whole error: {escape(str(log))}[/dim]"
        self._console.print(line, highlight=False, soft_wrap=True)
        if log is not None and self._traceback:
            print_log(self._console, log)

    def run_retried(self, run: PlannedRun, why: str) -> None:
        warn_on(self._console, f"{run.title} is tried once more: {why}")

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None:
        self._progress.advance(self._plan)
        if why == "stored":
            self._stored += 1
        else:
            self._console.print(f"[dim]= {escape(run.title)}: finished by another process[/dim]", highlight=False)


def print_log(console: Console, log: Path) -> None:
    """Print the log of something that failed, if it is there."""
    if log.is_file():
        text = log.read_text(encoding="utf-8", errors="replace")
        console.print(text.rstrip(), markup=False, highlight=False, soft_wrap=True)


def warn_on(console: Console, text: str) -> None:
    """Print a warning, above the bars if there are any."""
    console.print(f"[yellow]{escape(text)}[/yellow]", highlight=False, soft_wrap=True)


def say_unread(sentences: Sequence[str]) -> None:
    """Warn of files that are no records, of the first few by name."""
    _warn_of([f"left out: {sentence}" for sentence in sentences], "left out: {} more files that are no records")


def say_altered(sentences: Sequence[str]) -> None:
    """Warn of records that are not as their digests were noted, likewise."""
    _warn_of(sentences, "{} more are not as SHA256SUMS says")


def say_undecided(sentences: Sequence[str]) -> None:
    """Warn of models of the user's own of which it is not known which runs are by today's code."""
    _warn_of(sentences, "{} more models have runs of several versions")


def say_unknown(suites: Iterable[Suite], records: Iterable[Record]) -> None:
    """Warn of models that suites name, and that neither are registered nor have a record: as one that is misspelt."""
    registered, run = registry.model_names(), {record.model for record in records}
    for suite in suites:
        names = dict.fromkeys(method.model for method in suite.methods)
        unknown = [name for name in names if name not in run and name not in registered]
        problems = [registry.unknown("model", name) for name in unknown]
        _warn_of([f"the suite '{suite.name}': {problem}" for problem in problems], "{} more models are not known")


def _warn_of(sentences: Sequence[str], more: str) -> None:
    console = Console(stderr=True)
    for sentence in sentences[:MOST_NAMED]:
        warn_on(console, sentence)
    if len(sentences) > MOST_NAMED:
        warn_on(console, more.format(len(sentences) - MOST_NAMED))


def finished_line(run: PlannedRun, record: Record) -> str:
    """One line that says how a run ended, with what a number must not be quoted without."""
    if isinstance(record, FailedRun):
        return f"[red]✗ {escape(run.title)}: {record.error.type}: {escape(record.error.message)}[/red]"
    marks = (
        ("made elsewhere, not audited", record.external),
        ("synthetic", run.spec.data.synthetic),
        ("random weights", run.spec.weights in RANDOM),
        ("quick profile, not to be quoted", run.label.profile == "quick"),
    )
    shown = ", ".join(mark for mark, holds in marks if holds)
    suffix = f"  [yellow]{shown}[/yellow]" if shown else ""
    scores = scores_line(record.scores["test"], record.channels)
    seconds = f"  [dim]{record.cost.wall_s:.1f} s[/dim]" if record.cost else ""
    return f"[green]✓[/green] {escape(f'{run.title}: {scores}')}{seconds}{suffix}"


def plain_table(columns: Sequence[str], folded: str) -> Table:
    """A table without a frame whose columns never wrap but one, which folds."""
    table = Table(*columns, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns:
        if column.header == folded:
            column.overflow = "fold"
        else:
            column.no_wrap = True
    return table


def print_line(text: str) -> None:
    """Print a line as it is, however long and whatever it contains."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Print a value for another program; what JSON does not know is a text."""
    Console().out(json.dumps(value, indent=2, default=str), highlight=False)


def grid(texts: Mapping[tuple[str, str], str], title: str, caption: str | None = None) -> Group:
    """Data sets x methods that stays readable on a narrow terminal: many methods run down, beside few data sets."""
    datasets, methods = (list(dict.fromkeys(key[axis] for key in texts)) for axis in (0, 1))
    above, below = Text(title, style="italic"), [Text(caption, style="dim italic")] if caption else []
    if len(methods) <= MOST_COLUMNS:
        return Group(above, _table(texts, "data set", datasets, methods), *below)
    parts = [datasets[start : start + FEW_COLUMNS] for start in range(0, len(datasets), FEW_COLUMNS)]
    turned = {(method, dataset): text for (dataset, method), text in texts.items()}
    return Group(above, *(_table(turned, "method", methods, part) for part in parts), *below)


def _table(
    texts: Mapping[tuple[str, str], str],
    corner: str,
    rows: Sequence[str],
    columns: Sequence[str],
) -> Table:
    """Long column headers fold, names of rows never do."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column(corner, no_wrap=True)
    for name in columns:
        table.add_column(escape(name.replace("_", "_\n") if len(name) > LONG_NAME else name), overflow="fold")
    for row in rows:
        table.add_row(escape(row), *(texts.get((row, column), "") for column in columns))
    return table
