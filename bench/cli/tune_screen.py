"""What a person sees while studies run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.markup import escape

from bench.cli.console import bars, print_log
from bench.cli.terminal import Console
from bench.plain_text import counted, duration

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.progress import TaskID

    from bench.runs.tuned import Found
    from bench.tuning.studies import Job, SharedStudy, Tally, Target


LOOK_S = 0.5  # between looks at trials that run elsewhere


class TuneScreen:
    """Bars for the studies, the trials and the epochs, and one line for every trial that ended, whoever ran it."""

    def __init__(
        self,
        console: Console,
        jobs: Sequence[Job],
        target: Target,
        log_of: Callable[[Job, int], Path],
        *,
        traceback: bool = False,
    ) -> None:
        """Follow these studies to this target.

        Args:
            console: To print on.
            jobs: The studies.
            target: Of each of them.
            log_of: Where the log of a trial of a study is, by its number, if it failed.
            traceback: Whether to print the log of a failed trial, too.
        """
        self._console, self._target, self._log_of, self._traceback = console, target, log_of, traceback
        self._progress = bars(console)
        self._studies = self._progress.add_task("studies", total=len(jobs), note="")
        self._trials: TaskID | None = None
        self._running: dict[int, TaskID] = {}  # by number, of trials under way, here or elsewhere
        self._looked = 0.0
        self._shown: set[int] = set()
        self._study = ""

    def __enter__(self) -> TuneScreen:
        self._progress.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def trial_started(self, study: SharedStudy, number: int) -> None:
        """Its bar comes with the others'."""

    def epoch(self, study: SharedStudy, row: Mapping[str, float]) -> None:  # noqa: ARG002 - an Observer's signature
        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            self._bar(study, study.tally())
            self._bars_of_trials(study)

    def looked(self, study: SharedStudy) -> None:
        tally = study.tally()
        if self._study != study.job.study:
            self._open(study, tally)
        self._bar(study, tally)
        self._bars_of_trials(study)
        for trial in study.trials():
            if trial.state.is_finished() and trial.number not in self._shown:
                self._shown.add(trial.number)
                self._ended(study.job, trial)

    def warn(self, text: str) -> None:
        """Print a warning above the bars."""
        self._print(f"[yellow]{escape(text)}[/yellow]")

    def failed(self, reason: str) -> None:
        """Say why a study found nothing."""
        self._print(f"[red]✗ {escape(reason)}[/red]")
        self._progress.advance(self._studies)

    def written(self, study: SharedStudy, path: Path, aside: Path | None, edges: Sequence[str] = ()) -> None:
        """Say what a finished study found, and which of it lies at the edge of its range."""
        tally = study.tally()
        default = "unknown" if tally.default is None else f"{tally.default:.4g}"
        self._print(
            f"[bold]{escape(study.job.title)}[/bold]: validation MAE {tally.best:.4g}, of the default settings "
            f"{default}; {_counts(tally)}; {duration(tally.seconds)} → {escape(str(path))}"
        )
        if edges:
            names = ", ".join(name.partition(".")[2] for name in edges)
            self._print(f"[yellow]at the edge of its range: {escape(names)}; a better value may lie beyond[/yellow]")
        if aside is not None:
            self._print(f"[yellow]the file that was edited by hand is now {escape(str(aside))}[/yellow]")
        self._progress.advance(self._studies)

    def replaced(self, before: Found) -> None:
        """Say that the file held what was found under another profile or protocol, and how to have it again."""
        self._print(
            f"[yellow]the settings that stood there, of profile {before.profile} and protocol {before.protocol}, are "
            f"replaced; their trials are kept, so tuning under these again, with {before.asked}, has them at once"
            "[/yellow]"
        )

    def _open(self, study: SharedStudy, tally: Tally) -> None:
        for bar in (self._trials, *self._running.values()):
            self._drop(bar)
        self._study, self._running = study.job.study, {}
        self._shown = {trial.number for trial in study.trials() if trial.state.is_finished()}
        self._trials = self._progress.add_task(escape(study.job.title), total=_whole(self._target), note="trials")
        if self._shown:
            self._print(f"[dim]{escape(study.job.title)}: goes on from {_counts(tally)}[/dim]")

    def _ended(self, job: Job, trial: FrozenTrial) -> None:
        """Say how a trial ended; the log of one whose process was killed would be that of an earlier study."""
        line, log = _line(job.title, trial), self._log_of(job, trial.number)
        if "reason" not in trial.user_attrs or not log.is_file():
            self._print(line)
            return
        self._print(f"{line}  [dim]whole error: {escape(str(log))}[/dim]")
        if self._traceback:
            print_log(self._console, log)

    def _bar(self, study: SharedStudy, tally: Tally) -> None:
        if self._trials is not None:
            done = tally.finished if study.target.seconds is None else min(int(tally.seconds), _whole(self._target))
            best = "" if tally.best is None else f", best {tally.best:.4g}"
            note = "trials" if study.target.seconds is None else "seconds"
            self._progress.update(self._trials, completed=done, note=note + best)

    def _bars_of_trials(self, study: SharedStudy) -> None:
        """One for each trial that runs, whoever runs it."""
        running = {trial.number: trial for trial in study.trials() if trial.state.name == "RUNNING"}
        for number in self._running.keys() - running.keys():
            self._drop(self._running.pop(number))
        for number, trial in running.items():
            if number not in self._running:
                total = study.job.run.spec.train.epochs
                self._running[number] = self._progress.add_task(f"trial {number}", total=total, note="epochs")
            if (last := trial.last_step) is not None:
                note = f"validation MAE {trial.intermediate_values[last]:.4g}"
                self._progress.update(self._running[number], completed=last, note=note)

    def _drop(self, bar: TaskID | None) -> None:
        if bar is not None and bar in self._progress.task_ids:
            self._progress.remove_task(bar)

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _whole(target: Target) -> int:
    return target.trials if target.trials is not None else int(target.seconds or 0)


def _counts(tally: Tally) -> str:
    counts = {"pruned": tally.pruned, "failed": tally.failed, "killed": tally.killed}
    others = "".join(f", {count} {name}" for name, count in counts.items() if count)
    return f"{counted(tally.finished, 'finished trial')}{others}"


def _line(title: str, trial: FrozenTrial) -> str:
    """How a trial ended, and what it tried."""
    values = ", ".join(f"{key.partition('.')[2]}={_short(value)}" for key, value in trial.params.items())
    values += " (default)" if trial.user_attrs.get("default") else ""
    head = f"{escape(title)} / trial {trial.number}"
    tail = f"[dim]{trial.user_attrs.get('seconds', 0.0):.1f} s  {escape(values)}[/dim]"
    if trial.state.name == "COMPLETE":
        return f"[green]✓[/green] {head}: validation MAE {trial.value:.4g}  {tail}"
    if trial.state.name == "PRUNED":
        return f"[yellow]|[/yellow] {head}: stopped after epoch {trial.last_step}  {tail}"
    reason = trial.user_attrs.get("reason", "its process ended before it did; it does not count")
    return f"[red]✗[/red] {head}: {escape(reason)}  {tail}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
