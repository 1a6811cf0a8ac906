"""st-vfm-bench: a referee for spatio-temporal grid forecasting.

The public interface, for notebooks and scripts; ``python -m bench`` is the same from a shell::

    import bench

    record = bench.evaluate("stid", dataset="bikenyc", data_dir="data")
    results = bench.run(models=["stid", "last_value"], datasets=["bikenyc"])
    results.frame, results.table("short_term"), results.plot("seeds")

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, ConfigError

if TYPE_CHECKING:
    from bench.analysis.results import Results
    from bench.catalog.data import Catalog
    from bench.records.record import DoneRun
    from bench.runs.runner import Observer
    from bench.types import DatasetCard, SpatioTemporalData

__version__ = "0.1.0"
__all__ = [
    "BenchError",
    "evaluate",
    "import_data",
    "list_datasets",
    "list_models",
    "load_dataset",
    "load_results",
    "run",
]


def evaluate(
    model: str | type[Any] | Callable[[Any], Any],
    dataset: str,
    *,
    settings: Mapping[str, Any] | None = None,
    profile: str = "quick",
    task: str = "short",
    protocol: str = "strict",
    seed: int = 0,
    data_dir: str | Path | None = None,
    results: str | Path | None = None,
    device: str = "auto",
) -> DoneRun:
    """Train or fit one model on one data set, score it once on test, and return the record.

    It is made in this process, with as many threads as torch has here; scores depend on them a little, and
    ``bench.run`` takes one: ``torch.set_num_threads(1)`` makes them the same.

    Args:
        model: A registered name, or the path of a model's file; a class of ``torch.nn.Module`` that maps a
            ``bench.types.Window`` to a forecast ``[B, F, C, H, W]``, scaled as the window is, made by ``Model(shape)``
            or ``Model(shape, config)`` with a dataclass ``Model.Config``; or any such map that is fitted already, which
            is left as it is.
        dataset: A registered name, a data set of one's own in the data folder, or the path of a data set's file.
        settings: In place of the defaults, by "model.<name>", "train.<name>" or "task.<name>".
        profile, task, protocol, device: As on the command line.
        seed: Of everything random.
        data_dir: Folder of raw data; None is ``$STBENCH_DATA``, else ``./data``, else synthetic data.
        results: Folder that the record is stored in; None writes nothing.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read. What the model raises passes through.
    """
    from bench.runs.session import selected, with_files
    from bench.runs.single import evaluate_model

    with with_files([model] if isinstance(model, str) else [], [dataset]) as (models, datasets):
        selection = selected((), (), datasets, (seed,), settings, profile, task, protocol)
        return evaluate_model(models[0] if models else model, selection, _path(data_dir), _path(results), device)


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
    observers: Sequence[Observer] = (),
) -> Results:
    """Run what a results folder lacks of a suite, and return everything that the folder holds.

    Args:
        suite: A name, or the path of a TOML file.
        models, variants, datasets, seeds: Only these; all of the suite and the profile if there are none. A model or a
            data set is a name, or the path of its file, such as "./mine.py".
        settings, profile, data_dir, device: As for ``evaluate``.
        task, protocol: In place of the suite's.
        jobs, threads, runs_per_gpu, executor: As on the command line: how many runs go side by side, and where.
        executor_options: What the executor has of its own, as on the command line.
        tuned: Whether to take each model's settings from the files that tuning leaves.
        traceback: Whether to print the traceback of a run that fails; a log beside its record has it, too.
        force, compiled, observers: As for ``bench.runs.session.execute``.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read. A run that fails is a failed record.
    """
    from bench.runs.executors import Asked, Places, number_of_jobs
    from bench.runs.session import execute, plan_suite, selected, with_files
    from bench.runs.suite import load_suites
    from bench.runs.tracebacks import Tracebacks

    observers = [*observers, *([Tracebacks(Path(results))] if traceback else [])]
    places = Places(jobs=number_of_jobs(jobs), device=device, threads=threads, runs_per_gpu=runs_per_gpu)
    asked = Asked(name=executor, places=places, options=executor_options or {})
    with with_files(models, datasets) as (model_names, dataset_names):
        selection = selected(model_names, variants, dataset_names, seeds, settings, profile, task, protocol)
        (chosen,), catalog = load_suites([str(suite)]), _catalog(data_dir, Path(results))
        planned = plan_suite(chosen, selection, catalog, Path(results), device=device, tuned=tuned, fetch=True)
        execute(planned, catalog, Path(results), executor=asked, force=force, compiled=compiled, observers=observers)
        return load_results(results, [suite] if str(suite).endswith(".toml") else ())


def import_data(
    data: Any,
    card: Mapping[str, Any] | str | Path,
    data_dir: str | Path | None = None,
    *,
    times: Any = None,
    force: bool = False,
    on_note: Callable[[str], None] = lambda note: None,  # noqa: ARG005
) -> DatasetCard:
    """Put data of one's own into the data folder, as ``stbench data import`` does, and return the card.

    Args:
        data: The path of a file; a numpy array, or a mapping of names to arrays; a pandas DataFrame, with a line for
            each time and cell or a row for each time; or an xarray DataArray or Dataset.
        card: Its keys, or the path of a TOML file; "Import your own" in the documents has all keys.
        data_dir: Folder of raw data, made if it does not exist; None is ``$STBENCH_DATA``, else ``./data``.
        times: Of the slots of a numpy array, ``[T]`` datetimes or ISO texts.
        force: Replace an earlier import of the same name.
        on_note: Told in a sentence what was decided in reading, such as how many sensors lie on how many cells.

    Raises:
        BenchError: If the card does not validate, its name is taken, or the data are not what it says.
    """
    from bench.catalog.data import data_folder
    from bench.catalog.importing.from_python import import_data

    return import_data(data, card, data_folder(_path(data_dir)), times=times, force=force, on_note=on_note)[0]


def load_results(results: str | Path = "results", suites: Iterable[str | Path] = ()) -> Results:
    """Everything below a results folder: records, frame, tables and figures.

    Args:
        results: The results folder.
        suites: TOML files of suites, beside those that come with the project.

    Raises:
        BenchError: If there is no such folder, or a suite is broken; the message names it. A file that is no record
            which can be read is left out, with a warning that names it.
    """
    from bench.analysis.results import Results
    from bench.runs.suite import load_suites

    if not Path(results).is_dir():
        raise ConfigError(f"there is no folder {results}; 'stbench run' or bench.run makes results")
    files = [str(file) for file in suites]
    loaded = Results.load(Path(results), [*load_suites(), *(load_suites(files) if files else ())])
    for sentence in loaded.unread:
        warnings.warn(f"left out: {sentence}", stacklevel=2)
    return loaded


def list_models() -> list[str]:
    """The names of all registered models, sorted."""
    from bench.catalog import registry

    return registry.model_names()


def list_datasets(data_dir: str | Path | None = None) -> list[str]:
    """The names of all data sets, those of one's own in the data folder among them, sorted."""
    return _catalog(data_dir, Path("results")).names()


def load_dataset(
    name: str, data_dir: str | Path | None = None, cache: str | Path = "results/cache"
) -> SpatioTemporalData:
    """A data set's values ``[T, C, H, W]`` float32 in physical units, with mask, clock and card.

    Raises:
        BenchError: If there is none of this name, or its raw files are not what its card says.
    """
    return _catalog(data_dir, Path(cache).parent, Path(cache)).load(name)


def _path(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(folder)


def _catalog(data_dir: str | Path | None, results: Path, cache: Path | None = None) -> Catalog:
    from bench.catalog.data import Catalog, resolve_data_dir

    return Catalog(data_dir=resolve_data_dir(_path(data_dir)), cache=cache or results / "cache")
