"""Options of the commands on runs and results, and what they stand for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from bench.analysis.tables.scores import Overview
    from bench.catalog.data import Catalog
    from bench.records.store import Record
    from bench.runs.layout import Layout

All = Annotated[bool, typer.Option("--all", help="The suite of the ten data sets and all models (short_term).")]
SuiteOption = Annotated[str | None, typer.Option("--suite", help="A suite's name, or the path of a suite's TOML file.")]
Models = Annotated[list[str] | None, typer.Option("--model", help="Only this model; may be repeated.")]
Variants = Annotated[
    list[str] | None, typer.Option("--variant", help="Only this variant of the suite; may be repeated.")
]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only this data set; may be repeated.")]
Seeds = Annotated[
    list[int] | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Only this seed; may be repeated.")
]
ProfileOption = Annotated[str, typer.Option("--profile", help="quick or paper.")]
ProtocolOption = Annotated[str | None, typer.Option("--protocol", help="strict or unist.")]
TaskOption = Annotated[str | None, typer.Option("--task", help="short, long, few1 or few5.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Override a setting, such as model.width=64; may be repeated.")
]
Shard = Annotated[str | None, typer.Option("--shard", help="Part i of n of the plan, as i/n, for a batch system.")]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder with one folder of raw files per data set (env: STBENCH_DATA)."),
]
Results = Annotated[Path, typer.Option("--results", help="Folder for everything that runs leave behind.")]
WeightsDir = Annotated[
    Path | None,
    typer.Option("--weights-dir", help="Folder of pre-trained weights, laid out as the hub (or $STBENCH_WEIGHTS)."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:<number>.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and how long it may take; run nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Repeat finished runs; their old records are kept aside.")]
UseTuned = Annotated[
    bool, typer.Option("--tuned", help="Take each model's settings from the files that 'stbench tune' leaves.")
]
Compile = Annotated[
    bool, typer.Option("--compile", help="Use torch.compile, which pays on long runs if at all (bench.perf.compiled).")
]
Track = Annotated[bool, typer.Option("--track/--no-track", help="Whether to feed MLflow.")]
Source = Annotated[str | None, typer.Option("--from", help="mlflow:URI: from MLflow instead of the store.")]
TrackingUri = Annotated[
    str | None, typer.Option("--tracking-uri", help="MLflow store (default: sqlite in the results folder).")
]


def open_catalog(data_dir: Path | None, results: Path) -> Catalog:
    """The data sets below a data folder, their canonical arrays cached in the results folder."""
    from bench.catalog.data import Catalog, resolve_data_dir

    return Catalog(data_dir=resolve_data_dir(data_dir), cache=results / "cache")


def tracking_store(uri: str | None, results: Path) -> str:
    """The address of MLflow: as given, else the data base in the results folder."""
    from bench.records.tracking import default_uri

    return uri or default_uri(results)


def use_weights_dir(folder: Path | None, *, make: bool = False) -> None:
    """Let models of this process, and of those it starts, find their weights in a folder; None changes nothing.

    Raises:
        ConfigError: If the folder does not exist and is not to be made.
    """
    from bench.weights import FOLDER_VARIABLE

    if folder is None:
        return
    if make:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise ConfigError(f"the weights folder {folder} is not a folder; 'stbench weights fetch' fills one")
    os.environ[FOLDER_VARIABLE] = str(folder.resolve())


def current_frame(results: Path, source: str | None) -> pd.DataFrame:
    """The records of a results folder, or of MLflow, as a frame with stale rows marked.

    Raises:
        ConfigError: If ``source`` is not ``mlflow:URI``.
    """
    from bench.records.frame import frame_from_records
    from bench.records.store import ResultStore

    if source is None:
        frame = frame_from_records(ResultStore(results).records())
    elif source.startswith("mlflow:"):
        from bench.records.tracking import records_from

        frame = frame_from_records(records_from(source.removeprefix("mlflow:"), watch=_reading))
    else:
        raise ConfigError(
            f"--from {source} is not understood; write mlflow:URI, such as mlflow:sqlite:///results/mlflow.db"
        )
    return marked(frame)


def nothing(results: Path, source: str | None, names: Sequence[str] = ()) -> str:
    """What is not there, of all or of what was named; without the password of an address."""
    from bench.cli.studies import others
    from bench.records.tracking import shown

    place = f"mlflow:{shown(source.removeprefix('mlflow:'))}" if source else str(results)
    if names and not others(names):
        return f"{place} holds no study; 'stbench tune' makes one"
    if names:
        return f"{place} holds no or too few finished runs of {', '.join(names)}"
    return f"{place} holds no finished run"


def marked(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with rows marked that today's code would not have made."""
    from bench.catalog import registry
    from bench.records.frame import mark_stale
    from bench.runs.spec import code_hash

    known = set(registry.model_names())
    pairs = {
        (dataset, model) for dataset, model in zip(frame["dataset"], frame["model"], strict=True) if model in known
    }
    return mark_stale(frame, {pair: code_hash(*pair) for pair in pairs})


def _reading(records: Iterable[Record], total: int) -> Iterator[Record]:
    """A bar on a terminal, since a server may be slow."""
    from rich.console import Console

    from bench.cli.console import bars

    with bars(Console(stderr=True)) as progress:
        task = progress.add_task("reading from MLflow", total=total, note="records")
        for record in records:
            yield record
            progress.advance(task)


def chosen_tables(names: Sequence[str]) -> tuple[list[Layout], list[Overview]]:
    """The suites among the names, and the tables over all suites; everything if there are no names.

    Raises:
        UnknownNameError, ConfigError: If a name is neither.
    """
    from bench.analysis.tables.overviews import MAKERS, overviews
    from bench.runs.suite import layouts, suite_names

    names = names or [*suite_names(), *MAKERS]
    suites = [name for name in names if name not in MAKERS]
    return layouts(suites), overviews(names, layouts(suite_names()))


def _check_names(names: Sequence[str], kind: str, known: Sequence[str]) -> None:
    """Suggest the nearest name of all that are drawn or written, not of suites alone."""
    from bench.errors import UnknownNameError

    for name in names:
        if name not in known and not name.endswith(".toml"):
            raise UnknownNameError(kind, name, known)


def write_current(
    results: Path, what: Literal["tables", "figures", "both"], *, source: str | None = None, names: Sequence[str] = ()
) -> list[Path]:
    """Write the tables or figures of the records as they are now; returns the files.

    ``names`` are suites, files of suites, tables or figures over suites; none means all that come with the project. Two
    processes that end together do it one after the other. Figures over suites take seconds: only "figures" draws them.
    """
    from filelock import FileLock

    from bench.analysis.figures.differences import write_figures
    from bench.analysis.figures.overviews import FIGURES, overview_figures
    from bench.analysis.results import Runs
    from bench.analysis.tables.overviews import MAKERS
    from bench.analysis.tables.scores import write_tables
    from bench.cli.studies import NAMES, is_named, others, write_studies
    from bench.records.frame import collector_paused
    from bench.runs.suite import layouts, suite_names

    kind, over_suites = ("figure", [*FIGURES]) if what == "figures" else ("table", [*MAKERS])
    _check_names(names, kind, [*suite_names(), *over_suites, *NAMES])
    named = others(names) if names else [*suite_names(), *over_suites]
    tabled = [name for name in named if what == "tables" or name in MAKERS or name not in FIGURES]
    chosen, over = chosen_tables(tabled) if tabled else ([], [])
    if source is None and not results.exists():
        return []
    results.mkdir(parents=True, exist_ok=True)
    with FileLock(results / ".tables.lock"), collector_paused():
        runs = Runs(current_frame(results, source))
        tables = [] if what == "figures" else write_tables(runs, results / "tables", chosen, over)
        tables += write_studies(results, what, source) if what == "both" or is_named(names) else []
        if what == "tables":
            return tables
        drawn = overview_figures(named, layouts(suite_names())) if what == "figures" else []
        return tables + write_figures(runs, results / "figures", chosen, drawn)
