"""``bench.run`` and ``bench.tune``: what takes a whole plan, as the commands of these names do."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.analysis.results import Results
    from bench.catalog.data import Catalog
    from bench.cli.terminal import Console
    from bench.runs.runner import Observer
    from bench.runs.session import Fetched


def run(
    *,
    suite: str | Path = "short_term",
    models: Iterable[str] = (),
    variants: Iterable[str] = (),
    datasets: Iterable[str] = (),
    seeds: Iterable[int] = (),
    settings: Mapping[str, Any] | None = None,
    profile: str = "quick",
    task: str | None = None,
    protocol: str | None = None,
    data_dir: str | Path | None = None,
    results: str | Path = "results",
    weights_dir: str | Path | None = None,
    device: str = "auto",
    jobs: int | str = "auto",
    threads: int = 1,
    runs_per_gpu: int | None = None,
    executor: str = "processes",
    executor_options: Mapping[str, Any] | None = None,
    tuned: bool = False,
    force: bool = False,
    compiled: bool = False,
    traceback: bool = False,
    time_limit: float | None = None,
    observers: Sequence[Observer] = (),
    on_unreadable: Callable[[str, BenchError], Any] | None = None,
    on_line: Callable[[str], Any] | None = print,
    save_forecasts: bool = False,
    save_weights: bool = False,
) -> Results:
    """Run what a results folder lacks of a suite, and return everything that the folder holds.

    A run that fails is a failed record and a line, or a warning where no lines are wanted.

    Args:
        suite: A name, or the path of a TOML file.
        models, variants, datasets, seeds: Only these; all of the suite and the profile if there are none. A model or a
            data set is a name, or the path of its file, such as "./mine.py".
        settings, profile, data_dir, weights_dir, device: As for ``evaluate``.
        task, protocol: In place of the suite's.
        jobs, threads, runs_per_gpu, executor: As on the command line: how many runs go side by side, and where.
        executor_options: What the executor has of its own, as on the command line.
        tuned: Whether to take each model's settings from the files that tuning leaves.
        traceback: Whether to print the traceback of a run that fails; a log beside its record has it, too.
        force: Whether to repeat finished runs; their old records are kept aside.
        compiled: Whether to train with torch.compile.
        time_limit: Seconds after which a run's process is ended, and the run has failed; None for no limit.
        observers: Called at each step of a run, in this thread, as ``bench.runs.runner.Observer`` has it.
        on_unreadable: Called before the runs with each data set that cannot be read and the reason, such as ``print``;
            the others are run. Without it, and where none can be read, that is an error.
        on_line: Called with a line that says how much is to do, one for each run that ends, and between them one a
            minute at most that says how far it is; None says nothing.
        save_forecasts, save_weights: As for ``evaluate``. Runs that are done without them stay so, unless with
            ``force``; a warning says which.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read.
    """
    from bench import load_results
    from bench.cli.console import ConsoleObserver
    from bench.cli.plan import announce, expect
    from bench.records.saved import Saving
    from bench.records.store import ResultStore, refuse_file
    from bench.runs.datasets import refuse
    from bench.runs.executors import Asked, Places, number_of_jobs
    from bench.runs.progress import MinuteLines
    from bench.runs.session import execute, plan_suite, selected, unsaved, with_files
    from bench.runs.suite import load_suites
    from bench.runs.tracebacks import Failures, Tracebacks

    refuse_file(Path(results))
    folder, report, failures = Path(results), on_unreadable or refuse, Failures()
    places = Places(jobs=number_of_jobs(jobs), device=device, threads=threads, runs_per_gpu=runs_per_gpu)
    asked = Asked(name=executor, places=places, options=executor_options or {})
    catalog = catalog_of(data_dir, folder / "cache", time_limit)
    saving = Saving(forecasts=save_forecasts, weights=save_weights)
    with weights_in(weights_dir), with_files(models, datasets) as (model_names, dataset_names):
        selection = selected(model_names, variants, dataset_names, seeds, settings, profile, task, protocol)
        (chosen,) = load_suites([str(suite)])
        wanted: Fetched = "unknown" if asked.here else "all"
        planned = plan_suite(
            chosen, selection, catalog, folder, device=device, tuned=tuned, fetch=wanted, on_unreadable=report
        )
        for sentence in [] if force else unsaved(planned, folder, saving, before=True):
            warnings.warn(sentence, stacklevel=2)
        console, here = _console(on_line), asked.made() if asked.here else None
        expected = expect(
            console, planned, catalog, folder, here, threads=threads, limit=time_limit, force=force, thorough=False
        )
        announce(console, expected, profile)
        lines = [MinuteLines(on_line, expected.lengths)] if on_line else []
        logs = [Tracebacks(folder)] if traceback else []
        with _kept(folder), ConsoleObserver(console, len(planned), ResultStore(folder)) as screen:
            execute(
                planned,
                catalog,
                folder,
                executor=here or asked,
                paces=expected.paces,
                force=force,
                compiled=compiled,
                time_limit=time_limit,
                observers=[screen, *lines, failures, *logs, *observers],
                saving=saving,
            )
        unseen = [] if on_line else failures.sentences
        for sentence in [*unseen, *unsaved(failures.done, folder, saving, before=False)]:
            warnings.warn(sentence, stacklevel=2)
        return load_results(results, [suite] if str(suite).endswith(".toml") else ())


def tune(
    *,
    suite: str | Path = "short_term",
    models: Iterable[str] = (),
    variants: Iterable[str] = (),
    datasets: Iterable[str] = (),
    trials: int | None = None,
    budget_s: float | None = None,
    settings: Mapping[str, Any] | None = None,
    profile: str = "quick",
    task: str | None = None,
    protocol: str | None = None,
    data_dir: str | Path | None = None,
    results: str | Path = "results",
    weights_dir: str | Path | None = None,
    device: str = "auto",
    jobs: int | str = 1,
    threads: int = 1,
    runs_per_gpu: int | None = None,
    executor: str = "processes",
    executor_options: Mapping[str, Any] | None = None,
    storage: str | None = None,
    traceback: bool = False,
    time_limit: float | None = None,
    on_unreadable: Callable[[str, BenchError], Any] | None = None,
    on_line: Callable[[str], Any] | None = print,
) -> Results:
    """Tune hyper-parameters on validation, as ``stbench tune`` does; ``bench.run(tuned=True)`` uses the best.

    A study that was interrupted goes on. One that finds nothing is a line, or a warning where no lines are wanted.

    Args:
        suite, models, variants, datasets, profile, task, protocol, data_dir, results, weights_dir, device: As for
            ``run``; each model on each data set is a study, naive baselines have nothing to tune.
        trials: Finished trials of each study; 20 unless ``budget_s`` is given.
        budget_s: Seconds of trials of each study, instead.
        settings: What is fixed, and so not searched.
        jobs: Trials side by side; with 1, each trial knows all before it.
        threads, runs_per_gpu, executor, executor_options, on_unreadable: As for ``run``, of trials.
        storage: URL of Optuna's storage; None is journal files in the results folder.
        traceback, time_limit: As for ``run``, of trials.
        on_line: Called with a line for each trial that ends and each study; None says nothing.

    Returns:
        Everything that the folder holds: ``trials`` is a data frame with a row for each trial, ``studies`` are typed
        values, ``table("tuning_ledger")`` and ``plot("tuning")`` show them.

    Raises:
        BenchError: If a name or a setting is wrong, nothing is left to tune, the data cannot be read, or Optuna is not
            installed.
    """
    from bench import load_results
    from bench.cli.tune import jobs_of, target_of, tune_jobs
    from bench.errors import require
    from bench.records.store import ResultStore, refuse_file
    from bench.runs.datasets import refuse
    from bench.runs.executors import Asked, Places, number_of_jobs
    from bench.runs.session import selected, with_files
    from bench.runs.suite import load_suites
    from bench.runs.whole_imports import import_whole
    from bench.tuning.search import Workplace

    require("optuna", "tuning", "bench.tune")
    refuse_file(Path(results))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # of bars that a notebook lacks, and nobody is shown
        import_whole("optuna")
    folder, target = Path(results), target_of(trials, budget_s, ("trials=", "budget_s="))
    places = Places(jobs=number_of_jobs(jobs), device=device, threads=threads, runs_per_gpu=runs_per_gpu)
    made = Asked(name=executor, places=places, options=executor_options or {}).made()
    catalog = catalog_of(data_dir, folder / "cache", time_limit)
    with weights_in(weights_dir), with_files(models, datasets) as (model_names, dataset_names):
        selection = selected(model_names, variants, dataset_names, (), settings, profile, task, protocol)
        (chosen,) = load_suites([str(suite)])
        studies, problems = jobs_of(chosen, selection, catalog, device, on_unreadable or refuse)
        workplace = Workplace(
            results=folder,
            data_dir=catalog.data_dir,
            storage=storage,
            device=made.here or "cpu",
            threads=threads,
            time_limit=time_limit,
        )
        ResultStore(folder).sweep()
        with _kept(folder):
            failed = tune_jobs(_console(on_line), studies, workplace, target, made, None, traceback=traceback)
        for sentence in [*problems, *([] if on_line else failed)]:
            warnings.warn(sentence, stacklevel=2)
        return load_results(results, [suite] if str(suite).endswith(".toml") else ())


def catalog_of(data_dir: str | Path | None, cache: Path, time_limit: float | None = None) -> Catalog:
    """The data sets below a data folder, or that of the environment.

    Raises:
        ConfigError: If a folder that was asked for does not exist.
    """
    from bench.catalog.data import Catalog, resolve_data_dir

    folder = resolve_data_dir(None if data_dir is None else Path(data_dir))
    return Catalog(data_dir=folder, cache=cache, time_limit=time_limit)


@contextmanager
def weights_in(folder: str | Path | None) -> Iterator[None]:
    """Let models find their pre-trained weights in a folder meanwhile; None changes nothing.

    Raises:
        ConfigError: If it is no folder.
    """
    from bench.cli.options import use_weights_dir
    from bench.weights import FOLDER_VARIABLE

    before = os.environ.get(FOLDER_VARIABLE)
    use_weights_dir(None if folder is None else Path(folder))
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(FOLDER_VARIABLE, None)
        else:
            os.environ[FOLDER_VARIABLE] = before


class _Lines(io.TextIOBase):
    """A text stream that hands on whole lines."""

    def __init__(self, on_line: Callable[[str], Any]) -> None:
        self._on_line, self._begun = on_line, ""

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._on_line(line)
        return len(text)


def _console(on_line: Callable[[str], Any] | None) -> Console:
    """A console without bars and colours, whose lines are handed on."""
    from bench.cli.terminal import WIDE, Console

    stream: Any = _Lines(on_line or (lambda line: None))  # noqa: ARG005
    return Console(file=stream, width=WIDE, force_terminal=False, force_jupyter=False, no_color=True)


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Say with an interrupt what becomes of what was done."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"Stopped. What is finished is kept in {folder}; the same call goes on from there.")
        raise
