"""st-vfm-bench: a referee for spatio-temporal grid forecasting.

The public interface, for notebooks and scripts; ``python -m bench`` is the same from a shell::

    import bench

    record = bench.evaluate("stid", dataset="bikenyc", data_dir="data")
    results = bench.run(models=["stid", "last_value"], datasets=["bikenyc"])
    results.frame, results.table("short_term"), results.plot("per_horizon")

Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, ConfigError
from bench.interface import catalog_of, run, tune, weights_in

if TYPE_CHECKING:
    from torch import nn

    from bench.analysis.results import Results
    from bench.catalog.dataset import Dataset
    from bench.records.record import DoneRun, Record
    from bench.records.saved_forecasts import About
    from bench.types import DatasetCard

__version__ = "0.1.0"
__all__ = [
    "BenchError",
    "evaluate",
    "forecast_windows",
    "import_data",
    "list_datasets",
    "list_models",
    "load_dataset",
    "load_model",
    "load_results",
    "run",
    "tune",
]


def evaluate(
    model: str | Path | type[Any] | Callable[[Any], Any] | None = None,
    dataset: str | Path | None = None,
    *,
    forecasts: object = None,
    name: str | None = None,
    settings: Mapping[str, Any] | None = None,
    profile: str | None = None,
    task: str | None = None,
    protocol: str | None = None,
    seed: int | None = None,
    data_dir: str | Path | None = None,
    results: str | Path | None = None,
    weights_dir: str | Path | None = None,
    device: str = "auto",
    save_forecasts: bool = False,
    save_weights: bool = False,
    as_is: bool = False,
    on_line: Callable[[str], Any] | None = print,
) -> DoneRun:
    """Train or fit one model on one data set, score it once on test, and return the record; or score forecasts.

    It is made in this process, with as many threads as torch has here; scores depend on them a little, and
    ``bench.run`` takes one: ``torch.set_num_threads(1)`` makes them the same.

    Args:
        model: A registered name, or the path of a model's file; a class of ``torch.nn.Module`` that maps a
            ``bench.types.Window`` to a forecast ``[B, F, C, H, W]``, scaled as the window is, made by ``Model(shape)``
            or ``Model(shape, config)`` with a dataclass ``Config`` beside it, as in a model's file, or in it; or any
            such map that is fitted already, which is left as it is.
        dataset: A registered name, a data set of one's own in the data folder, or the path of a data set's file.
        forecasts: In place of a model, forecasts that were made elsewhere: an array ``[N, F, C, H, W]`` in physical
            units of the windows that ``forecast_windows`` names, or the path of an ``.npz`` or ``.npy`` with one. The
            record is marked: nobody audited their model.
        name: What such forecasts, or a model of one's own, are called; that of a class or a function is its own.
        settings: In place of the defaults, by "model.<name>", "train.<name>" or "task.<name>".
        profile: As on the command line; None is quick, and for forecasts what their file says, else all windows.
        task, protocol, device: As on the command line; None is short and strict.
        seed: Of everything random; None is 0.
        data_dir: Folder of raw data; None is ``$STBENCH_DATA``, else ``./data``, else synthetic data.
        results: Folder that the record is stored in; None stores nothing.
        weights_dir: Folder of pre-trained weights; None is ``$STBENCH_WEIGHTS``.
        save_forecasts: Whether to keep all test forecasts in ``results/forecasts``.
        save_weights: Whether to keep the weights that are scored in ``results/weights``, for ``load_model``.
        as_is: Whether to score forecasts that look scaled, turned or out of order, too.
        on_line: Called with a line that says how far training is, one a minute at most; None says nothing.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read. What the model raises passes through.
    """
    from bench.records.saved import Saving
    from bench.records.store import refuse_file
    from bench.runs.whole_imports import import_whole

    import_whole("bench.runs.single")
    from bench.runs.session import selected, with_files
    from bench.runs.single import evaluate_forecasts, evaluate_model

    if (model is None) == (forecasts is None) or (dataset is None and model is not None):
        raise ConfigError("evaluate takes a model and a dataset, or forecasts=, with a name= if they shall have one")
    if name and isinstance(model, str | Path):
        raise ConfigError(f"the model '{model}' has its name already; leave name= out")
    if results is not None:
        refuse_file(Path(results))
    saving, seeds = Saving(forecasts=save_forecasts, weights=save_weights), [] if seed is None else [seed]
    own, place = [model] if isinstance(model, str | Path) else [], (_path(data_dir), _path(results), device)
    with weights_in(weights_dir), with_files(own, [] if dataset is None else [dataset]) as (models, datasets):
        if model is None:
            selection = selected((), (), datasets, seeds, settings, profile or "", task, protocol)
            return evaluate_forecasts(forecasts, selection, *place, name=name, as_is=as_is, saving=saving)
        asked = (settings, profile or "quick", task or "short", protocol or "strict")
        selection = selected((), (), datasets, seeds or [0], *asked)
        return evaluate_model(models[0] if models else model, selection, *place, saving, name=name, on_line=on_line)


def import_data(
    data: Any,
    card: Mapping[str, Any] | str | Path,
    data_dir: str | Path | None = None,
    *,
    times: Any = None,
    force: bool = False,
    on_note: Callable[[str], None] | None = None,
) -> DatasetCard:
    """Put data of one's own into the data folder, as ``stbench data import`` does, and return the card.

    Args:
        data: The path of a file; a numpy array, or a mapping of names to arrays; a pandas DataFrame, with a line for
            each time and cell or a row for each time; or an xarray DataArray or Dataset.
        card: Its keys, or the path of a TOML file; "Import your own" in the documents has all keys.
        data_dir: Folder of raw data, made if it does not exist; None is ``$STBENCH_DATA``, else ``./data``.
        times: Of the slots of a numpy array, ``[T]`` datetimes or ISO texts.
        force: Replace an earlier import of the same name.
        on_note: Told what was decided in reading, what the data look like, and what to doubt in them; ``print`` shows
            what the command does. Without it, doubts are warnings.

    Raises:
        BenchError: If the card does not validate, its name is taken, or the data are not what it says.
    """
    from bench.catalog.data import data_folder
    from bench.catalog.importing.from_python import import_data
    from bench.catalog.importing.source import Doubt
    from bench.catalog.importing.summary import understood

    notes: list[str] = []
    made, folder = import_data(data, card, data_folder(_path(data_dir)), times=times, force=force, on_note=notes.append)
    text, doubts = understood(folder)
    for note in (*notes, text, *map(Doubt, doubts)):
        if on_note:
            on_note(note)
        elif isinstance(note, Doubt):
            warnings.warn(note, stacklevel=2)
    return made


def load_results(results: str | Path = "results", suites: Iterable[str | Path] = ()) -> Results:
    """Everything below a results folder: records, frame, tables and figures.

    Args:
        results: The results folder.
        suites: TOML files of suites, beside those that come with the project.

    Raises:
        BenchError: If there is no such folder, or a suite is broken; the message names it. A file that is no record
            which can be read is left out, with a warning that names it; another names each record that is not as the
            folder's ``SHA256SUMS`` notes it.
    """
    from bench.analysis.results import Results
    from bench.runs.suite import load_suites

    if not Path(results).is_dir():
        raise ConfigError(f"there is no folder {results}; 'stbench run' or bench.run makes results")
    files = [str(file) for file in suites]
    loaded = Results.load(Path(results), [*load_suites(), *(load_suites(files) if files else ())])
    for sentence in (*(f"left out: {sentence}" for sentence in loaded.unread), *loaded.altered):
        warnings.warn(sentence, stacklevel=2)
    there = {path.name for path in Path(results).iterdir()}
    if there and not there & {"runs", "tuned", "cache"}:
        warnings.warn(
            f"{results} is no results folder, which has a folder runs; name the one above or below", stacklevel=2
        )
    return loaded


def forecast_windows(
    dataset: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    profile: str | None = None,
    task: str | None = None,
    protocol: str | None = None,
    data_dir: str | Path | None = None,
    cache: str | Path = "results/cache",
) -> About:
    """Of which test windows ``evaluate`` wants forecasts, in which order and shape; arguments as there.

    Returns:
        ``origins`` (the slot of the first step of each forecast), ``times`` (its time, None if it is not known),
        ``shape`` (N, F, C, H, W), ``channels`` and ``units``.

    Raises:
        BenchError: If a name or a setting is wrong, or the data cannot be read.
    """
    from bench.runs.external import windows_wanted
    from bench.runs.session import selected, with_files

    with with_files([], [dataset]) as (_, datasets):
        selection = selected((), (), datasets, (), settings, profile or "", task, protocol)
        return windows_wanted(selection, catalog_of(data_dir, Path(cache)))


def load_model(
    record: Record,
    model: type[Any] | str | Path | None = None,
    *,
    results: str | Path = "results",
    device: str = "cpu",
) -> nn.Module:
    """The model of a run that was made with ``save_weights``, with the weights that were scored; nothing is unpickled.

    Args:
        record: Of the run, such as one of ``load_results("results").records``.
        model: Its class, or the path of its file, if it is one's own and in no registry.
        results: The results folder that the record is in.
        device: Where it shall be.

    Returns:
        A module in evaluation mode, which maps a ``bench.types.Window`` to a forecast, scaled as the window is.

    Raises:
        BenchError: If there are no weights, they are not those of the record, or the model's code does not fit them.
    """
    from bench.runs.saved_models import load_model as load

    return load(record, model, Path(results), device)


def list_models() -> list[str]:
    """The names of all registered models, sorted."""
    from bench.catalog import registry

    return registry.model_names()


def list_datasets(data_dir: str | Path | None = None) -> list[str]:
    """The names of all data sets, those of one's own in the data folder among them, sorted."""
    return catalog_of(data_dir, Path("results/cache")).names()


def load_dataset(name: str | Path, data_dir: str | Path | None = None, cache: str | Path = "results/cache") -> Dataset:
    """A data set's values ``[T, C, H, W]`` float32 in physical units, with mask, times, clock and card.

    ``name`` may be the path of a data set's file.

    Raises:
        BenchError: If there is none of this name, or its raw files are not what its card says.
    """
    from bench.catalog.dataset import Dataset
    from bench.runs.session import with_files

    with with_files((), [name]) as (_, (known,)):
        return Dataset.of(catalog_of(data_dir, Path(cache)).load(known))


def _path(folder: str | Path | None) -> Path | None:
    return None if folder is None else Path(folder)
