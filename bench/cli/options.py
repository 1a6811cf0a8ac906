"""Options that several commands have, each once, and what they stand for."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bench.cli.complete import datasets, models, pretrained, profiles, suites, tasks, variants
from bench.cli.terminal import program
from bench.errors import BenchError, ConfigError, StoreError

if TYPE_CHECKING:
    from bench.analysis.results import Results
    from bench.catalog.data import Catalog
    from bench.records.planned import PlannedRun
    from bench.records.record import Record
    from bench.runs.plan import Selection
    from bench.runs.session import Fetched
    from bench.runs.suite import Suite

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of raw files, a folder per data set (or $STBENCH_DATA)."),
]
ResultsDir = Annotated[Path, typer.Option("--results", help="Folder for records, tables, figures and caches.")]
Source = Annotated[
    str | None, typer.Option("--from", help="mlflow:URI reads from MLflow instead of the results folder.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to write to.", show_default=False)]
TrackingUri = Annotated[
    str | None,
    typer.Option("--tracking-uri", help="Address of MLflow (or $MLFLOW_TRACKING_URI; default: <results>/mlflow.db)."),
]
WeightsDir = Annotated[
    Path | None,
    typer.Option("--weights-dir", help="Folder of pre-trained weights, laid out as the hub (or $STBENCH_WEIGHTS)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
PretrainedNames = Annotated[
    list[str] | None, typer.Argument(help="Names, as 'list' has them.", show_default=False, autocompletion=pretrained)
]
DatasetNames = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names, as 'list' has them, or files such as ./mine.py.", show_default=False, autocompletion=datasets
    ),
]


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """Which runs are meant: of which suite, and what of it."""

    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="The suite short_term: all models on ten benchmark data sets, and on others in the data folder.",
        ),
    ] = False
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="A suite's name, or the path of a suite's TOML file.", autocompletion=suites),
    ] = None
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="Only this model, a name or a file such as ./mine.py; may be repeated.",
            autocompletion=models,
        ),
    ] = None
    variant: Annotated[
        list[str] | None,
        typer.Option("--variant", help="Only this variant of the suite; may be repeated.", autocompletion=variants),
    ] = None
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset", help="Only this data set, a name or a file; may be repeated.", autocompletion=datasets
        ),
    ] = None
    seed: Annotated[
        list[int] | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Only this seed; may be repeated.")
    ] = None
    profile: Annotated[
        str,
        typer.Option(
            "--profile", help="What a run may spend: quick, laptop, reference or paper.", autocompletion=profiles
        ),
    ] = "quick"
    protocol: Annotated[
        str | None, typer.Option("--protocol", help="Protocol of split and scaling: strict or unist.")
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            "--task", help="Forecasting task: short, long, few1 to few50, transfer or transfer1.", autocompletion=tasks
        ),
    ] = None
    override: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting, such as model.width=64; may be repeated.")
    ] = None
    shard: Annotated[str | None, typer.Option("--shard", help="Only part i of n of the runs, written i/n.")] = None
    tuned: Annotated[bool, typer.Option("--tuned", help="Use the settings that 'stbench tune' wrote.")] = False
    data_dir: DataDir = None
    results: ResultsDir = Path("results")
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:<number>.")] = "auto"
    weights_dir: WeightsDir = None
    tracking_uri: TrackingUri = None
    track: Annotated[bool, typer.Option("--track/--no-track", help="Whether to log to MLflow.")] = True

    def prepare(self, *, track: bool = True) -> str | None:
        """Refuse to do everything because nothing was said, set the folder of weights, and return MLflow's address.

        Args:
            track: Whether anything is logged to MLflow; the address is None where not.
        """
        if not (self.everything or self.suite or self.model or self.dataset):
            raise ConfigError("nothing was asked for; say --all, --suite NAME, --dataset NAME or --model NAME")
        use_weights_dir(self.weights_dir)
        return tracking_store(self.tracking_uri, self.results, track=track and self.track)

    @property
    def chosen_suite(self) -> Suite:
        """The suite that is meant; a wrong variant is told before the work, not after it."""
        from bench.runs.suite import load_suites

        if self.everything and self.suite:
            raise ConfigError("--all is the suite short_term; give either --all or --suite")
        (suite,) = load_suites([self.suite or "short_term"])
        return suite

    @property
    def catalog(self) -> Catalog:
        from bench.records.store import refuse_file

        refuse_file(self.results)
        return open_catalog(self.data_dir, self.results)

    @property
    def selection(self) -> Selection:
        from bench.runs.plan import Selection

        return Selection(
            models=known_names("model", self.model or ()),
            variants=tuple(self.variant or ()),
            datasets=known_names("dataset", self.dataset or ()),
            seeds=tuple(self.seed or ()),
            profile=self.profile,
            protocol=self.protocol,
            task=self.task,
            overrides=tuple(self.override or ()),
            shard=self.shard,
        )

    def plan(
        self, suite: Suite, catalog: Catalog, left_out: dict[str, BenchError], *, fetch: Fetched = "nothing"
    ) -> list[PlannedRun]:
        """Every run that is meant; ``left_out`` is given what cannot be read, and ``fetch`` is as in ``plan_suite``."""
        from bench.runs.session import plan_suite

        return plan_suite(
            suite,
            self.selection,
            catalog,
            self.results,
            device=self.device,
            tuned=self.tuned,
            fetch=fetch,
            on_unreadable=left_out.setdefault,
        )


def known_names(group: Literal["model", "dataset"], texts: Iterable[str]) -> tuple[str, ...]:
    """Names for names and paths of files, which this process and those that it starts know from now on.

    Raises:
        ConfigError: If a path is that of no Python file, or of one that declares none of the group.
    """
    from bench.catalog import own_files, registry

    names, files = registry.named(group, texts)
    own_files.list_also(files)
    return names


def open_catalog(data_dir: Path | None, results: Path) -> Catalog:
    """The data sets below a data folder, their canonical arrays cached in the results folder."""
    from bench.catalog.data import Catalog, resolve_data_dir

    return Catalog(data_dir=resolve_data_dir(data_dir), cache=results / "cache")


def check_results(results: Path, source: str | None = None) -> None:
    """Refuse a results folder that is not there, such as one that was mistyped; it does not matter beside a source.

    Raises:
        StoreError: If it is not there.
    """
    if source is None and not results.is_dir():
        raise StoreError(f"there is no results folder {results}; 'stbench run' makes one, and --results names another")


def open_results(results: Path, source: str | None, names: Sequence[str] = ()) -> Results:
    """What tables and figures are made of, from a results folder or from MLflow.

    Args:
        results: The results folder.
        source: ``mlflow:URI``, or None for the folder.
        names: What was asked for; TOML files of suites among it are read, too.

    Raises:
        ConfigError: If ``source`` is not ``mlflow:URI``, or a suite does not validate.
    """
    from bench.analysis.results import Results
    from bench.cli.console import say_altered, say_undecided, say_unknown, say_unread
    from bench.runs.suite import load_suites

    files = [name for name in names if name.endswith(".toml")]
    own = load_suites(files) if files else []
    suites = [*load_suites(), *own]
    if source is None:
        loaded = Results.load(results, suites)
        say_unread(loaded.unread)
        say_altered(loaded.altered)
    else:
        loaded = Results.from_mlflow(address_in(source), suites, watch=_with_bar)
    say_unknown(own, loaded.records)
    say_undecided(loaded.undecided)
    return loaded


def address_in(source: str) -> str:
    """The address of MLflow in what ``--from`` says.

    Raises:
        ConfigError: If there is none.
    """
    if not source.startswith("mlflow:"):
        raise ConfigError(
            f"--from {source} is not understood; write mlflow:URI, such as mlflow:sqlite:///results/mlflow.db"
        )
    return source.removeprefix("mlflow:")


def nothing(results: Path, source: str | None, names: Sequence[str] = ()) -> str:
    """What is not there, of all or of what was named; without the password of an address."""
    from bench.records.mlflow_address import shown

    origin = f"mlflow:{shown(source.removeprefix('mlflow:'))}" if source else str(results)
    if names and set(names) <= {"tuning", "tuning_ledger"}:
        return f"{origin} holds no study; 'stbench tune' makes one"
    return (
        f"{origin} holds no or too few finished runs of {', '.join(names)}"
        if names
        else f"{origin} holds no finished run"
    )


def tracking_store(uri: str | None, results: Path, *, track: bool = True) -> str | None:
    """The address of MLflow: as given, else that of the environment, else the data base in the results folder.

    It is None where nothing is tracked: without MLflow, or in a folder that several machines see, where a data base of
    SQLite may break, unless an address was given; one line says so.

    Raises:
        MissingPackageError: If an address was given and MLflow is not installed.
        TrackingError: If what was given is no address.
    """
    from bench.errors import is_installed, require
    from bench.files import network_file_system
    from bench.records.mlflow_address import VARIABLE, check_form, file_of, shown, usual_uri

    if not track:
        return None
    asked_for = uri is not None or bool(os.environ.get(VARIABLE))
    address = usual_uri(results) if uri is None else uri
    if uri is not None:
        require("mlflow", "tracking", "--tracking-uri")
    elif not is_installed("mlflow"):
        _say("not tracked: MLflow is not installed (pip install 'st-vfm-bench[tracking]')")
        return None
    if asked_for:
        check_form(address)
    if asked_for and uri is None:
        _say(f"tracked at {shown(address)}, as ${VARIABLE} says")
    file = file_of(address)
    system = network_file_system(file) if file else None
    if system and not asked_for:
        _say(
            f"not tracked: {results} lies on {system}, where MLflow's data base of SQLite may break; give "
            "--tracking-uri the address of a server ('mlflow server'), and 'stbench sync' fills in what it lacks"
        )
        return None
    if system:
        _say(f"{file} lies on {system}, where a data base of SQLite may break; a server ('mlflow server') does not")
    return address


def typed() -> str:
    """The command as it was typed, without passwords of addresses."""
    from bench.records.mlflow_address import shown

    return " ".join([program(), shlex.join(shown(word) for word in sys.argv[1:])])


def _say(hint: str) -> None:
    from bench.cli.terminal import Console

    Console().print(hint, style="dim", markup=False, highlight=False, soft_wrap=True)


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


def _with_bar(records: Iterable[Record], total: int) -> Iterator[Record]:
    """A bar on a terminal, since a server may be slow."""
    from bench.cli.console import bars
    from bench.cli.terminal import Console

    with bars(Console(stderr=True)) as progress:
        task = progress.add_task("reading from MLflow", total=total, note="records")
        for record in records:
            yield record
            progress.advance(task)
