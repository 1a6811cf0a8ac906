"""The command line. Everything heavy is imported inside the command that needs it, so that help answers at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.cli.data import app as data_app
from bench.cli.options import (
    DataDir,
    Results,
    Source,
    TrackingUri,
    chosen_tables,
    current_frame,
    nothing,
    open_catalog,
    write_current,
)
from bench.cli.report import export, report
from bench.cli.run import run, status
from bench.cli.tune import tune
from bench.cli.weights import app as weights_app
from bench.cli.weights import pretrained
from bench.errors import BenchError, ConfigError

app = typer.Typer(
    help="A referee for spatio-temporal forecasting: models x data sets, one protocol, tables a reader can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(run)
app.command()(status)
app.command()(tune)
app.command()(report)
app.command()(export)
app.add_typer(data_app, name="data", help="Look at, check, download and import data sets.")
app.add_typer(weights_app, name="weights", help="Look at, download and check pre-trained weights.")


class ListedKind(StrEnum):
    """What ``stbench list`` can list."""

    models = "models"
    datasets = "datasets"
    suites = "suites"
    backbones = "backbones"


@app.command()
def tables(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Suites, TOML files of suites, ranks, efficiency, per_horizon, tuning_ledger; all that have rows if "
            "none is given."
        ),
    ] = None,
    *,
    results: Results = Path("results"),
    source: Source = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a table on disk differs.")] = False,
) -> None:
    """Write the tables (md, tex, csv) from the records."""
    from bench.analysis.results import Runs
    from bench.analysis.tables.scores import check_tables
    from bench.cli.studies import differing_ledger, is_named, others
    from bench.records.frame import collector_paused

    if check:
        rest = others(names or ())
        chosen = chosen_tables(rest) if rest or not names else ([], [])
        with collector_paused():
            differing = check_tables(Runs(current_frame(results, source)), results / "tables", *chosen)
        differing += differing_ledger(results, source) if is_named(names or ()) else []
        for path in differing:
            _print(f"{path} differs from the records; 'stbench tables' writes it anew")
        raise typer.Exit(1 if differing else 0)
    written = write_current(results, "tables", source=source, names=names or ())
    for path in written:
        _print(str(path))
    if not written:
        _print(f"no table has rows: {nothing(results, source, names or ())}")


@app.command()
def plots(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="As in 'tables', or learning, seeds, maps, daily, tuning; all if none is given."),
    ] = None,
    *,
    results: Results = Path("results"),
    source: Source = None,
) -> None:
    """Draw figures (png, pdf): of the suites that compare variants, over suites, and of tuning.

    Over suites: ranks, per_horizon (error by step), efficiency (accuracy against
    cost), learning (curves), seeds (as points), maps (truth, forecast and error of
    one window chosen by rule), daily (error by time of day).
    """
    from bench.cli.studies import others

    written = write_current(results, "figures", source=source, names=names or ())
    for path in written:
        _print(str(path))
    if not written:
        _print(f"no figure has data: {nothing(results, source, names or ())}")
        if not names or others(names):
            _print("figures of suites compare variants; 'stbench run --suite controls' makes some")


@app.command("list")
def list_names(kind: Annotated[ListedKind | None, typer.Argument(help="Only these.")] = None) -> None:
    """List what is registered: models, data sets, suites, pre-trained backbones."""
    from bench.catalog import registry
    from bench.runs import suite

    console = Console()
    if kind in (None, ListedKind.models):
        _print_pairs(console, "models", ((name, registry.describe(name)) for name in registry.model_names()))
    if kind in (None, ListedKind.datasets):
        cards = ((name, registry.load("dataset", name).CARD) for name in registry.dataset_names())
        _print_pairs(console, "data sets", ((name, f"{card.title}, {card.city}") for name, card in cards))
    if kind in (None, ListedKind.suites):
        _print_pairs(console, "suites", ((name, suite.load_suite(name).title) for name in suite.suite_names()))
    if kind in (None, ListedKind.backbones):
        facts = ((name, f"model.{row.setting}, {row.size}, {row.licence}") for name, row in pretrained().items())
        _print_pairs(console, "backbones", facts)


@app.command()
def show(name: str, data_dir: DataDir = None, results: Results = Path("results")) -> None:
    """Show a model's settings with their search space, or a data set's card."""
    import dataclasses

    from bench.catalog import registry
    from bench.errors import UnknownNameError

    catalog = open_catalog(data_dir, results)
    if name in registry.model_names():
        grid = Table("setting", "default", "search space", title=f"{name}: {registry.describe(name)}")
        for field in dataclasses.fields(registry.config_class(name)):
            space = field.metadata.get("tune")
            grid.add_row(field.name, repr(field.default), "not tuned" if space is None else str(space))
    elif name in catalog.names():
        grid = Table("fact", "value", title=name)
        for key, value in dataclasses.asdict(catalog.card(name)).items():
            grid.add_row(key, escape(str(value)))
    else:
        raise UnknownNameError("model or data set", name, [*registry.model_names(), *catalog.names()])
    Console().print(grid)


@app.command()
def sync(results: Results = Path("results"), tracking_uri: TrackingUri = None) -> None:
    """Give MLflow the finished runs and studies that it lacks."""
    from bench.records import tracking
    from bench.records.store import ResultStore
    from bench.tuning.tracking import sync_studies

    uri = tracking_uri or tracking.default_uri(results)
    added, present = tracking.sync(ResultStore(results).records(), uri, results)
    _print(f"{added} runs added, {present} were there: {tracking.shown(uri)}")
    added, present = sync_studies(results, uri)
    if added or present:
        _print(f"{added} studies of tuning added, {present} were there")


@app.command()
def ui(
    results: Results = Path("results"),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's own interface on the results folder's database."""
    import socket
    import subprocess

    from bench.records import tracking

    results.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", tracking.default_uri(results)]
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigError(f"port {port} of this machine is in use; choose another with --port")
    _print(f"http://127.0.0.1:{port}  (stop with Ctrl-C)")
    finished = subprocess.run(  # noqa: S603
        [*command, "--host", "127.0.0.1", "--port", str(port)], env=tracking.quiet_environment(), check=False
    )
    raise typer.Exit(finished.returncode)


@app.command()
def doctor(data_dir: DataDir = None, results: Results = Path("results")) -> None:
    """Say what this machine can do: device, libraries, disk, data sets found."""
    import os
    import shutil

    from bench.context import environment, resolve_device
    from bench.runs.runner import libraries

    catalog = open_catalog(data_dir, results)
    grid = Table("what", "found", title="doctor")
    for key, value in (environment(resolve_device("auto")) | libraries()).items():
        grid.add_row(key, str(value))
    grid.add_row("cores", str(os.cpu_count()))
    grid.add_row("free disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB")
    grid.add_row("data folder", escape(str(catalog.data_dir or "none")))
    for name in catalog.names():
        try:
            if catalog.has_real(name):
                grid.add_row(name, "real")
        except BenchError as error:
            grid.add_row(name, f"[red]{escape(str(error))}[/red]")
    grid.add_row("other data sets", "stand-ins, marked wherever their numbers appear")
    Console().print(grid)


def _print(text: str) -> None:
    """Print a line as it is, however long and whatever it contains."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _print_pairs(console: Console, title: str, pairs: Iterable[tuple[str, str]]) -> None:
    grid = Table("name", "what", title=title, title_justify="left")
    for name, text in pairs:
        grid.add_row(name, escape(text))
    console.print(grid)
