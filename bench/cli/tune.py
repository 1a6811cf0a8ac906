"""The command ``tune``: studies of models on data sets, and the files of their best settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import print_line, warn_on
from bench.cli.execution import ExecutionOptions
from bench.cli.option_groups import with_options
from bench.cli.options import PlanOptions
from bench.cli.plan import show_left_out
from bench.cli.terminal import Console
from bench.cli.tune_screen import TuneScreen
from bench.errors import BenchError, ConfigError, TrainingError, require
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.runs.datasets import OnUnreadable
    from bench.runs.executors import Asked, Executor
    from bench.runs.plan import Selection
    from bench.runs.suite import Suite
    from bench.tuning.search import Tuner, Workplace
    from bench.tuning.studies import Job, Target
    from bench.tuning.tracking import StudyTracker

TRIALS = 20


@dataclass(frozen=True, kw_only=True)
class TrialOptions(ExecutionOptions):
    """How many trials go side by side, and where."""

    jobs: Annotated[
        str,
        typer.Option("--jobs", help="Trials side by side, or auto; with 1, each trial knows all before it."),
    ] = "1"
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            min=1,
            help="Seconds after which a trial, or the reader of a data set of your own, is ended (default: none).",
        ),
    ] = None

    def asked(self, device: str, say: Callable[[str], None]) -> Asked:
        if self.executor == "slurm" and self.jobs == "auto" and not self.slurm_local:
            raise ConfigError("--jobs auto is no number of trials on Slurm; give one, such as --jobs 4")
        return super().asked(device, say)


@with_options(TrialOptions, name="execution", without=("slurm_detach",))
@with_options(PlanOptions, without=("seed", "shard", "tuned"))
def tune(
    *,
    options: PlanOptions,
    execution: TrialOptions,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help=f"Finished trials per study (default: {TRIALS}).")
    ] = None,
    budget_s: Annotated[
        float | None,
        typer.Option("--budget-s", min=1, help="Seconds of trials per study, instead of a number of trials."),
    ] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Optuna storage of the studies, such as sqlite:///studies.db.")
    ] = None,
) -> None:
    """Tune hyper-parameters on validation, with equal trials or seconds for every model; 'run --tuned' uses the best.

    A study that was interrupted resumes. What --set fixes is not searched.

    Exit code 0: all done. 1: a study found nothing or failed, or some data cannot be read. 2: the command is wrong, or
    no data can be read.
    """
    from bench.records.store import ResultStore
    from bench.tuning.search import Workplace

    require("optuna", "tuning", "stbench tune")
    target = target_of(trials, budget_s)
    tracked = options.prepare()
    catalog, console = replace(options.catalog, time_limit=execution.time_limit), Console()
    left_out: dict[str, BenchError] = {}
    asked = execution.asked(options.device, partial(console.print, style="dim", highlight=False, soft_wrap=True))
    with console.status("reading the data sets"):
        jobs, problems = jobs_of(options.chosen_suite, options.selection, catalog, options.device, left_out.setdefault)
    for problem in problems:
        warn_on(console, problem)
    show_left_out(console, left_out)
    console.print(_size(jobs, target, options.profile), highlight=False, soft_wrap=True)
    ResultStore(options.results).sweep()
    executor = asked.made()
    device = executor.here or "cpu"
    workplace = Workplace(
        results=options.results,
        data_dir=catalog.data_dir,
        storage=storage,
        device=device,
        threads=execution.threads,
        time_limit=execution.time_limit,
    )
    failed = tune_jobs(console, jobs, workplace, target, executor, tracked, traceback=execution.traceback)
    if len(failed) < len(jobs):
        print_line(
            f"next: stbench run --tuned --profile {options.profile}, with the same models, data sets, --set and folders"
        )
    show_left_out(console, left_out)
    if problems or left_out or failed:
        raise typer.Exit(1)


def _size(jobs: Sequence[Job], target: Target, profile: str) -> str:
    """How much there is to do, and what of it the quick profile leaves out."""
    each = counted(target.trials, "trial") if target.trials is not None else str(target)
    text = f"{counted(len(jobs), 'study', 'studies')}, {each} each, on validation alone"
    if profile != "quick":
        return text
    steps = max(job.run.spec.train.epochs * job.run.spec.train.steps_per_epoch for job in jobs)
    few = f"at most {steps} training steps a trial, so " if steps else ""  # 0 a step of each window
    return f"profile quick: {few}what is found means nothing\n{text}"


def target_of(trials: int | None, seconds: float | None, names: tuple[str, str] = ("--trials", "--budget-s")) -> Target:
    """How much every model gets.

    Raises:
        ConfigError: If that is said twice.
    """
    from bench.tuning.studies import Target

    if trials is not None and seconds is not None:
        raise ConfigError(f"{' and '.join(names)} are two ways to say how much every model gets; give one of them")
    return Target(seconds=seconds) if seconds is not None else Target(trials=trials or TRIALS)


def jobs_of(
    suite: Suite, selection: Selection, catalog: Catalog, device: str, report: OnUnreadable
) -> tuple[list[Job], list[str]]:
    """One study for each data set, task and row of a suite that has something to tune; naive baselines have nothing.

    A variant is tuned by itself, around its own settings. Of models that cannot be used, sentences say why.
    ``report`` is told what cannot be read.

    Raises:
        ConfigError: If nothing is left.
    """
    from bench.catalog import registry
    from bench.catalog.pretrained import fetch_unknown
    from bench.runs.fork_server import check_folder
    from bench.runs.plan import plan
    from bench.runs.profiles import PROFILES
    from bench.tuning.studies import job

    check_folder()
    seeds = PROFILES[selection.profile].seeds[:1] if selection.profile in PROFILES else ()
    selection = replace(selection, seeds=seeds)
    runs = plan(suite, selection, catalog, device=device, on_unreadable=report)
    if fetch_unknown((run.model, run.spec.config) for run in runs):
        runs = plan(suite, selection, catalog, device=device, on_unreadable=report)
    problems = {run.model: registry.problem_of("model", run.model) for run in runs}
    usable = [run for run in runs if not problems[run.model]]
    jobs = [study for run in usable if (study := job(run, selection.overrides)) is not None]
    if not jobs:
        names = ", ".join(dict.fromkeys(run.method for run in runs))
        raise ConfigError(
            f"nothing of {names} is left to tune: naive baselines have no settings, and --set, or settings=, fixes "
            "what it names"
        )
    return jobs, [problem for problem in problems.values() if problem]


def tune_jobs(
    console: Console,
    jobs: Sequence[Job],
    workplace: Workplace,
    target: Target,
    executor: Executor,
    tracking_uri: str | None,
    *,
    traceback: bool,
) -> list[str]:
    """Finish all studies; a sentence for each that found nothing."""
    from bench.tuning.search import Tuner, log_of, work
    from bench.tuning.tracking import StudyTracker

    results = workplace.results
    written: dict[Path, None] = {}
    failed: list[str] = []
    with ExitStack() as stack:
        screen = stack.enter_context(TuneScreen(console, jobs, target, partial(log_of, results), traceback=traceback))
        trackers = [StudyTracker(tracking_uri, results, warn=screen.warn)] if tracking_uri is not None else []
        for tracker in trackers:
            stack.enter_context(tracker)
        tuner = stack.enter_context(Tuner(workplace, target, (screen, *trackers), takes=executor.here is not None))
        at_work = stack.enter_context(executor.beside(work, list(jobs), workplace, target))
        for job in jobs:
            try:
                written |= dict.fromkeys(_study(job, tuner, at_work, screen, trackers, results))
            except TrainingError as error:
                failed.append(str(error))
                screen.failed(str(error))
    for name, ending in (("ledger", ".md"), ("figures", ".png")):
        if some := ", ".join(str(path) for path in written if path.suffix == ending):
            console.print(f"{name}: {some}", highlight=False, soft_wrap=True)
    return failed


def _study(
    job: Job,
    tuner: Tuner,
    at_work: Callable[[], bool],
    screen: TuneScreen,
    trackers: Sequence[StudyTracker],
    results: Path,
) -> list[Path]:
    """Finish one study and write what it found; returns the ledger and its figure.

    Raises:
        TrainingError: If it found nothing.
    """
    from bench.cli.output import write_study
    from bench.runs.tuned import TunedFolder
    from bench.tuning.search import winner
    from bench.tuning.trials import study_of, write_trials

    study = tuner.tune(job, wait=True, at_work=at_work)
    if (tuned := winner(study)) is None:
        raise TrainingError(f"{job.title}: no trial ran to its end, so there is nothing to write")
    folder, address = TunedFolder(results), (job.run.dataset, job.run.model, job.run.spec.task.name, job.slug)
    before = folder.found(*address)
    aside = folder.write(*address[:3], tuned, job.slug)
    screen.written(study, folder.path(*address), aside, tuned.found.edges if tuned.found else ())
    if before and aside is None and (before.profile, before.protocol) != (job.profile, job.run.spec.task.protocol):
        screen.replaced(before)
    write_trials(results, study_of(study))
    written = write_study(results, *address)
    for tracker in trackers:
        tracker.finished(*address, files=written)
    return written
