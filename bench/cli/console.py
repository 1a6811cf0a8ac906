"""What a person sees while a plan runs: a bar for the plan, a bar for the run, one line per finished run."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal

from rich.console import Console
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

from bench.runs.spec import PlannedRun


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

    def __init__(self, console: Console, runs: int) -> None:
        self._console = console
        self._progress = bars(console)
        self._plan = self._progress.add_task("plan", total=runs, note="runs")
        self._run: TaskID | None = None
        self._stored = 0

    def __enter__(self) -> ConsoleObserver:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if self._stored:
            self._console.print(f"[dim]{self._stored} runs were already in the store and were not repeated[/dim]")

    def warn(self, text: str) -> None:
        """Print a warning above the bars."""
        self._console.print(f"[yellow]{escape(text)}[/yellow]", highlight=False, soft_wrap=True)

    def run_started(self, run: PlannedRun) -> None:
        epochs = run.spec.train.epochs
        self._run = self._progress.add_task(escape(run.title), total=epochs, note="epochs")

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None:  # noqa: ARG002 - an Observer's signature
        if self._run is not None:
            note = f"train loss {row['train_loss']:.4f}, validation MAE {row['val_mae']:.4g}"
            self._progress.update(self._run, completed=row["epoch"], note=note)

    def run_finished(self, run: PlannedRun, record: Mapping[str, Any]) -> None:
        if self._run is not None:
            self._progress.remove_task(self._run)
            self._run = None
        self._progress.advance(self._plan)
        self._console.print(finished_line(run, record), highlight=False, soft_wrap=True)

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None:
        self._progress.advance(self._plan)
        if why == "stored":
            self._stored += 1
        else:
            self._console.print(f"[dim]= {escape(run.title)}: finished by another process[/dim]", highlight=False)


def finished_line(run: PlannedRun, record: Mapping[str, Any]) -> str:
    """One line that says how a run ended, with what a number must not be quoted without."""
    if record["status"] == "failed":
        error = record["error"]
        return f"[red]✗ {escape(run.title)}: {error['type']}: {escape(error['message'])}[/red]"
    test, cost = record["scores"]["test"], record["cost"]
    marks = [
        mark
        for mark, on in (("stand-in", run.spec.data.stand_in), ("random weights", run.spec.weights == "random"))
        if on
    ]
    suffix = f"  [yellow]{', '.join(marks)}[/yellow]" if marks else ""
    scores = f"MAE {test['mae']['overall']:.4g}  RMSE {test['rmse']['overall']:.4g}"
    return f"[green]✓[/green] {escape(run.title)}: {scores}  [dim]{cost['wall_s']:.1f} s[/dim]{suffix}"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
