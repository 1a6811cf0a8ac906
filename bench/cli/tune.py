"""The command ``tune``: studies of models on data sets, watched on a terminal, and the files of what they found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from bench.cli.console import bars, duration
from bench.cli.options import (
    All,
    DataDir,
    Datasets,
    Device,
    Models,
    ProfileOption,
    ProtocolOption,
    Results,
    SetOption,
    SuiteOption,
    TaskOption,
    Track,
    TrackingUri,
    WeightsDir,
    open_catalog,
    tracking_store,
    use_weights_dir,
)
from bench.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial
    from rich.progress import TaskID

    from bench.catalog.data import Catalog
    from bench.runs.plan import Selection
    from bench.tuning.search import Place
    from bench.tuning.studies import Job, SharedStudy, Tally, Target

TRIALS = 20


def tune(
    *,
    everything: All = False,
    suite: SuiteOption = None,
    model: Models = None,
    dataset: Datasets = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help=f"Finished trials for every model ({TRIALS}).")
    ] = None,
    budget_s: Annotated[
        float | None, typer.Option("--budget-s", min=1, help="Seconds of trials for every model, in place of a number.")
    ] = None,
    storage: Annotated[
        str | None, typer.Option("--storage", help="Database for the studies, such as sqlite:///studies.db.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that work on one study.")] = 1,
    profile: ProfileOption = "quick",
    protocol: ProtocolOption = None,
    task: TaskOption = None,
    override: SetOption = None,
    data_dir: DataDir = None,
    weights_dir: WeightsDir = None,
    results: Results = Path("results"),
    device: Device = "auto",
    tracking_uri: TrackingUri = None,
    track: Track = True,
) -> None:
    """Tune models on validation, each with the same number of trials or seconds; 'run --tuned' takes what is found.

    A study that was stopped or killed goes on where it was. What --set fixes is not searched.
    Exit code 0: all done. 1: a study found nothing or failed. 2: the command or its data are wrong.
    """
    from bench.runs.plan import Selection
    from bench.tuning.search import Place
    from bench.tuning.studies import Target

    if not (everything or suite or model or dataset):
        raise ConfigError("nothing was asked for; say --all, --suite NAME, --model NAME or --dataset NAME")
    if everything and suite:
        raise ConfigError("--all is the suite short_term; give either --all or --suite")
    if trials is not None and budget_s is not None:
        raise ConfigError("--trials and --budget-s are two ways to say how much every model gets; give one of them")
    use_weights_dir(weights_dir)
    catalog, console = open_catalog(data_dir, results), Console()
    selection = Selection(
        models=tuple(model or ()),
        datasets=tuple(dataset or ()),
        profile=profile,
        protocol=protocol,
        task=task,
        overrides=tuple(override or ()),
    )
    with console.status("reading the data sets"):
        jobs = _jobs(suite or "short_term", selection, catalog)
    target = Target(seconds=budget_s) if budget_s is not None else Target(trials=trials or TRIALS)
    console.print(
        f"{len(jobs)} {'study' if len(jobs) == 1 else 'studies'}, {target} each, on validation alone", highlight=False
    )
    place = Place(results=results, data_dir=catalog.data_dir, storage=storage, device=device)
    if not _tune(console, jobs, place, target, workers, tracking_store(tracking_uri, results) if track else None):
        raise typer.Exit(1)


def _jobs(suite: str, selection: Selection, catalog: Catalog) -> list[Job]:
    """One study for each data set, task and model of a suite that has something to tune; floors have nothing.

    A model is tuned once for all its variants, whose own settings win over those that are found.

    Raises:
        ConfigError: If nothing is left.
    """
    from dataclasses import replace

    from bench.runs.plan import plan
    from bench.runs.profiles import PROFILES
    from bench.runs.suite import load_suite
    from bench.tuning.studies import job

    seeds = PROFILES[selection.profile].seeds[:1] if selection.profile in PROFILES else ()
    chosen = load_suite(suite)
    if chosen.variants:
        models = dict.fromkeys((*chosen.models, *(variant.model for variant in chosen.variants)))
        chosen = chosen.model_copy(update={"models": tuple(models), "variants": ()})
    runs = plan(chosen, replace(selection, seeds=seeds), catalog)
    jobs = [found for run in runs if (found := job(run, selection.overrides)) is not None]
    if not jobs:
        names = ", ".join(dict.fromkeys(run.model for run in runs))
        raise ConfigError(f"nothing of {names} is left to tune: floors have no settings, and --set fixes what it names")
    return jobs


def _tune(
    console: Console, jobs: Sequence[Job], place: Place, target: Target, workers: int, tracking_uri: str | None
) -> bool:
    """Whether every study found something."""
    from bench.runs.tuned import TunedFolder
    from bench.tuning.search import Several, Tuner, winner
    from bench.tuning.tracking import StudyTracker
    from bench.tuning.trials import told, write_trials

    folder, found = TunedFolder(place.results), 0
    written: list[Path] = []
    with ExitStack() as stack:
        screen = stack.enter_context(_Screen(console, jobs, target))
        followers = [StudyTracker(uri, place.results, warn=screen.warn) for uri in (tracking_uri,) if uri is not None]
        for each in followers:
            stack.enter_context(each)
        tuner = stack.enter_context(Tuner(place, target, Several(observers=(screen, *followers))))
        stack.enter_context(_helpers(jobs, place, target, workers - 1))
        for job in jobs:
            try:
                study = tuner.tune(job, wait=True)
            except TrainingError as error:
                screen.failed(str(error))
                continue
            if (tuned := winner(study)) is None:
                screen.failed(f"{job.title}: no trial ran to its end, so there is nothing to write")
                continue
            address = (job.run.dataset, job.run.model, job.run.spec.task.name)
            screen.written(study, folder.path(*address), folder.write(*address, tuned))
            write_trials(place.results, told(study))
            for follower in followers:
                follower.finished(*address)
            found += 1
            written = list(dict.fromkeys([*written, *_shown(place.results, address)]))
    for kind, ending in (("ledger", ".md"), ("figures", ".png")):
        if some := ", ".join(str(path) for path in written if path.suffix == ending):
            console.print(f"{kind}: {some}", highlight=False, soft_wrap=True)
    return found == len(jobs)


def _shown(results: Path, address: tuple[str, str, str]) -> list[Path]:
    """The ledger, and the figure of one study, both written anew."""
    from filelock import FileLock

    from bench.analysis.figures.tuning import write_study_figures
    from bench.analysis.tables.tuning_ledger import write_ledger
    from bench.tuning.study import stem
    from bench.tuning.trials import path_of, read_trials

    study = read_trials(path_of(results, *address))
    with FileLock(results / ".tables.lock"):
        return write_ledger(results) + write_study_figures({stem(*address): study}, results / "figures")


@contextmanager
def _helpers(jobs: Sequence[Job], place: Place, target: Target, count: int) -> Iterator[None]:
    """Further worker processes, which end by themselves when there is nothing left to take."""
    import multiprocessing
    import os

    from bench.tuning.search import work

    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    arguments = (list(jobs), place, target, os.getpid())
    processes = [context.Process(target=work, args=arguments, daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    yield
    for process in processes:
        process.join()


class _Screen:
    """Bars for the studies, the trials and the epochs, and one line for every trial that ended, whoever ran it."""

    def __init__(self, console: Console, jobs: Sequence[Job], target: Target) -> None:
        self._console, self._target = console, target
        self._progress = bars(console)
        self._studies = self._progress.add_task("studies", total=len(jobs), note="")
        self._trials: TaskID | None = None
        self._epochs: TaskID | None = None
        self._told: set[int] = set()
        self._study = ""

    def __enter__(self) -> _Screen:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def trial_started(self, study: SharedStudy, number: int) -> None:
        self._drop(self._epochs)
        total = study.job.run.spec.train.epochs
        self._epochs = self._progress.add_task(f"trial {number}", total=total, note="epochs")

    def epoch(self, study: SharedStudy, row: Mapping[str, float]) -> None:
        if self._epochs is not None:
            self._progress.update(self._epochs, completed=row["epoch"], note=f"validation MAE {row['val_mae']:.4g}")
        if study.target.seconds is not None:
            self._bar(study, study.tally())

    def looked(self, study: SharedStudy) -> None:
        tally = study.tally()
        if self._study != study.job.study:
            self._open(study, tally)
        self._bar(study, tally)
        for trial in study.trials():
            if trial.state.is_finished() and trial.number not in self._told:
                self._told.add(trial.number)
                self._print(_line(study.job.title, trial))

    def warn(self, text: str) -> None:
        """Print a warning above the bars."""
        self._print(f"[yellow]{escape(text)}[/yellow]")

    def failed(self, reason: str) -> None:
        """Say why a study found nothing."""
        self._print(f"[red]✗ {escape(reason)}[/red]")
        self._progress.advance(self._studies)

    def written(self, study: SharedStudy, path: Path, aside: Path | None) -> None:
        """Say what a finished study found."""
        tally = study.tally()
        default = "unknown" if tally.default is None else f"{tally.default:.4g}"
        self._print(
            f"[bold]{escape(study.job.title)}[/bold]: validation MAE {tally.best:.4g}, of the default settings "
            f"{default}; {_counts(tally)}; {duration(tally.seconds)} → {escape(str(path))}"
        )
        if aside is not None:
            self._print(f"[yellow]the file that was edited by hand is now {escape(str(aside))}[/yellow]")
        self._progress.advance(self._studies)

    def _open(self, study: SharedStudy, tally: Tally) -> None:
        for bar in (self._trials, self._epochs):
            self._drop(bar)
        self._study, self._epochs = study.job.study, None
        self._told = {trial.number for trial in study.trials() if trial.state.is_finished()}
        self._trials = self._progress.add_task(escape(study.job.title), total=_whole(self._target), note="trials")
        if self._told:
            self._print(f"[dim]{escape(study.job.title)}: goes on from {_counts(tally)}[/dim]")

    def _bar(self, study: SharedStudy, tally: Tally) -> None:
        if self._trials is not None:
            done = tally.finished if study.target.seconds is None else min(int(tally.seconds), _whole(self._target))
            best = "" if tally.best is None else f", best {tally.best:.4g}"
            note = "trials" if study.target.seconds is None else "seconds"
            self._progress.update(self._trials, completed=done, note=note + best)

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
    return f"{tally.finished} finished trials{others}"


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
