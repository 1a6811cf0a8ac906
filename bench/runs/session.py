"""A suite as a script or a command runs it: what is asked of it, its plan, and what carries that out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from bench.catalog import own_files, registry
from bench.catalog.data import Catalog
from bench.catalog.plugins import Group, check_name
from bench.catalog.pretrained import fetch_unknown
from bench.errors import ConfigError
from bench.plain_text import counted
from bench.records.planned import PlannedRun
from bench.records.saved import NOTHING, Saving
from bench.records.store import ResultStore
from bench.runs.datasets import OnUnreadable, refuse
from bench.runs.estimate import Pace, paces_from_records, shapes_of
from bench.runs.executors import Asked, Executor
from bench.runs.executors.processes import Processes
from bench.runs.fork_server import check_folder, warm_up
from bench.runs.order import in_order
from bench.runs.own_code import keep, note_asked
from bench.runs.plan import Selection, overrides_of, plan
from bench.runs.precision import name_of
from bench.runs.preloading import large_libraries
from bench.runs.runner import Observer, Runner
from bench.runs.suite import Suite
from bench.runs.tuned import TunedFolder

Fetched = Literal["nothing", "unknown", "all"]
AGAIN = "--force, or bench.run(force=True), makes them again"


def selected(
    models: Iterable[str],
    variants: Iterable[str],
    datasets: Iterable[str],
    seeds: Iterable[int],
    settings: Mapping[str, Any] | None,
    profile: str,
    task: str | None,
    protocol: str | None,
) -> Selection:
    """What is asked of a suite.

    Raises:
        ConfigError: If a text or a number stands where several are wanted, or a setting is no number, text or truth
            value; or a model or data set is the path of a file that cannot be one.
    """
    asked = {"models": models, "variants": variants, "datasets": datasets, "seeds": seeds}
    for name, several in asked.items():
        if isinstance(several, str) or not isinstance(several, Iterable):
            raise ConfigError(f"{name} is {several!r}, wanted a list; write {name}=[{several!r}]")
    if settings is not None and not isinstance(settings, Mapping):
        raise ConfigError(f"settings is {settings!r}, wanted a dict; write settings={{'train.epochs': 3}}")
    return Selection(
        models=tuple(models),
        variants=tuple(variants),
        datasets=tuple(datasets),
        seeds=tuple(seeds),
        profile=profile,
        task=task,
        protocol=protocol,
        overrides=overrides_of(settings or {}),
    )


@contextmanager
def with_files(
    models: Iterable[str | Path], datasets: Iterable[str | Path]
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The names of models and data sets of which some are given by the paths of their files, which are known meanwhile.

    Raises:
        ConfigError: If a text stands where several are wanted, something else is neither name nor path, or a path is
            not that of such a file.
    """
    asked: dict[Group, Iterable[str | Path]] = {"model": models, "dataset": datasets}
    found = {}
    for group, several in asked.items():
        if isinstance(several, str) or not isinstance(several, Iterable):
            raise ConfigError(f"{group}s is {several!r}, wanted a list; write {group}s=[{several!r}]")
        given = list(several)
        for one in given:
            check_name(group, one)
        found[group] = registry.named(group, [str(text) for text in given])
    (model_names, model_files), (dataset_names, dataset_files) = found["model"], found["dataset"]
    with own_files.listed((*model_files, *dataset_files)):
        yield model_names, dataset_names


def plan_suite(
    suite: Suite,
    selection: Selection,
    catalog: Catalog,
    results: Path,
    *,
    device: str = "auto",
    tuned: bool = False,
    fetch: Fetched = "nothing",
    on_unreadable: OnUnreadable = refuse,
) -> list[PlannedRun]:
    """Every run of a suite as selected; with ``tuned``, or in a suite that says so, with the settings tuning found.

    Of pre-trained weights that are not here, ``fetch`` brings those of which no digest is known, since a run's identity
    holds it, or all that runs which are not in the store read. ``on_unreadable`` is told of data sets that cannot be
    read, perhaps twice.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read.
    """
    check_folder()
    folder = TunedFolder(results) if tuned or suite.tuned else None
    planned = plan(suite, selection, catalog, folder, device, on_unreadable)
    store, everything = ResultStore(results), fetch == "all"
    readers = [run for run in planned if not (everything and store.has(run.dataset, run.model, run.run_id))]
    pairs = [(run.model, run.spec.config) for run in readers if fetch != "nothing"]
    if fetch_unknown(pairs, and_known=everything):
        return plan(suite, selection, catalog, folder, device, on_unreadable)
    return planned


def execute(
    planned: Sequence[PlannedRun],
    catalog: Catalog,
    results: Path,
    *,
    executor: Executor | Asked,
    force: bool = False,
    compiled: bool = False,
    time_limit: float | None = None,
    paces: Mapping[str, Pace] | None = None,
    observers: Sequence[Observer] = (),
    saving: Saving = NOTHING,
) -> Counter[str]:
    """Run what a results folder lacks of a plan, in the order of ``bench.runs.order.in_order``.

    Args:
        planned: The plan.
        catalog: Its data sets.
        results: The results folder.
        executor: Who makes the runs; one that is not made yet is made if there are any.
        force: Whether to repeat finished runs; their old records are kept aside.
        compiled: Whether to use torch.compile.
        time_limit: Seconds after which a run's process is ended, and the run has failed; None for no limit.
        paces: How fast runs are, by ``bench.runs.estimate.pace_key``; None is what the records tell.
        observers: Called at each step of a run, in this thread.
        saving: What of each run is saved beside its record; runs that are done are not repeated for it.

    Returns:
        The number of runs that are "done", "skipped" and "failed".

    Raises:
        StoreError: If a record cannot be written.
    """
    store = ResultStore(results)
    todo = [run for run in planned if force or not store.has(run.dataset, run.model, run.run_id)]
    if isinstance(executor, Asked):  # where nothing is to do nothing is connected to
        if not todo:
            executor.tidy(results)
        executor = executor.made() if todo else Processes(["cpu"], executor.places.threads)
    keep(todo, catalog, results)
    note_asked(planned, results)
    if todo:
        if isinstance(executor, Processes):
            warm_up(large_libraries(todo))
        device = executor.here and name_of(executor.here)
        if paces is None:
            paces = paces_from_records(store.glances(lambda _: None), device)  # what is no record says nothing of time
        planned = in_order(planned, paces, shapes_of(todo, catalog), executor.jobs)
    limit = time_limit
    runner = Runner(catalog, results, executor, observers, compiled=compiled, time_limit=limit, saving=saving)
    return runner.run(planned, force=force)


def unsaved(planned: Sequence[PlannedRun], results: Path, saving: Saving, *, before: bool) -> list[str]:
    """Of which finished runs that is not there which was to be saved, in a sentence for each kind, with the remedy.

    Args:
        planned: The plan.
        results: The results folder.
        saving: What is to be saved.
        before: Whether the plan is yet to be carried out.
    """
    store = ResultStore(results)
    done = [run for run in planned if store.has(run.dataset, run.model, run.run_id)] if saving.kinds else []
    sentences = []
    for kind, runs in saving.lacking(results, done).items():
        names = ", ".join(dict.fromkeys(run.model for run in runs))
        of = f"{len(runs)} of {counted(len(planned), 'run')}" if before else f"the finished runs of {names}"
        if before:
            why = f"already done without saved {kind}, which only a run can make: {AGAIN}"
        elif kind == "weights":
            why = "without saved weights: a model made of their weights alone does not forecast as theirs did"
        else:
            why = f"without saved forecasts: another command made them; {AGAIN}"
        sentences.append(f"{of} {'is' if before and len(runs) == 1 else 'are'} {why}")
    return sentences
