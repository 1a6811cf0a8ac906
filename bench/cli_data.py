"""``stbench data``: look at, check, download and import data sets."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from bench import registry
from bench.cli_options import DataDir, Results, open_catalog
from bench.errors import ConfigError, DataError

if TYPE_CHECKING:
    from bench.data import Catalog
    from bench.types import DatasetCard, RawFile, SpatioTemporalData

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Names = Annotated[list[str] | None, typer.Argument(help="Data sets.", show_default=False)]


@app.command("list")
def list_datasets(data_dir: DataDir = None, results: Results = Path("results")) -> None:
    """List all data sets and say which of them are here."""
    catalog = open_catalog(data_dir, results)
    table = Table(
        "name", "title", "C x H x W", "minutes", "days", "from", "data", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in table.columns:
        column.no_wrap = column.header != "title"
    for name in catalog.names():
        card = catalog.card(name)
        found = "[green]real[/green]" if catalog.has_real(name) else "[yellow]stand-in[/yellow]"
        shape = " x ".join(map(str, (len(card.channels), *card.grid)))
        days = f"{card.slots / card.slots_per_day:.3g}"
        table.add_row(name, escape(card.title), shape, str(card.interval), days, (card.start or "?")[:10], found)
    console = Console()
    console.print(table)
    console.print(f"data folder: {catalog.data_dir or 'none, so every data set is a stand-in'}", highlight=False)


@app.command()
def show(
    name: str,
    out: Annotated[Path | None, typer.Option("--out", help="PNG to write [default: <results>/figures/data].")] = None,
    data_dir: DataDir = None,
    results: Results = Path("results"),
) -> None:
    """Show what is known of a data set, and draw it."""
    from bench.data_show import draw

    data = open_catalog(data_dir, results).load(name)
    mark = " (stand-in)" if data.identity.stand_in else ""
    table = Table("fact", "value", title=f"{name}{mark}", show_header=False)
    table.columns[1].overflow = "fold"
    for key, value in _facts(data).items():
        table.add_row(key, escape(value))
    console = Console(soft_wrap=True)
    console.print(table, soft_wrap=False)
    picture = draw(data, out or results / "figures" / "data" / f"{name}.png")
    console.print(f"picture: {picture}", highlight=False)


@app.command()
def verify(names: Names = None, data_dir: DataDir = None, results: Results = Path("results")) -> None:
    """Hold the raw files against the digests on their cards, and read them; exit 1 if something does not match."""
    catalog = open_catalog(data_dir, results)
    table = Table("data set", "file", "wanted", "found", "verdict")
    verdicts = [_verify(catalog, name, table) for name in names or filter(catalog.has_real, catalog.names())]
    console = Console()
    console.print(table if table.rows else f"nothing to verify in {catalog.data_dir or 'no data folder'}")
    if not all(verdicts):
        raise typer.Exit(1)


@app.command()
def fetch(
    names: Names = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every data set.")] = False,
    data_dir: DataDir = None,
    results: Results = Path("results"),
) -> None:
    """Download what has a stable address; say for the rest what to get from where."""
    if everything == bool(names):
        raise ConfigError("fetch wants names of data sets, or --all; 'stbench data list' shows the names")
    folder = _writable(data_dir)
    catalog = open_catalog(folder, results)
    console = Console(soft_wrap=True)
    failures = 0
    for card in [catalog.card(name) for name in (catalog.names() if everything else names or ())]:
        try:
            console.print(_fetch(card, folder / card.name, console), highlight=False)
        except DataError as error:
            failures += 1
            console.print(f"[red]✗[/red] {card.name}: {escape(str(error))}", highlight=False)
    if failures:
        raise typer.Exit(1)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="An .npz, .npy or .csv.")],
    card: Annotated[Path, typer.Option("--card", help="TOML card: name, interval, grid, and whatever else is known.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier import of the same name.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a data set of your own array and a TOML card.

    The smallest card: name = "citybus", interval = 30 (minutes), grid = [10, 20] (rows, columns). Also start, channels,
    layout (TCHW, THWC, THW, TNC or TN), key, missing ("none" or "nan"), nonnegative, zero_is_missing, mape_threshold,
    unit, title, city, domain, licence, citation, homepage.
    """
    from bench.data_import import import_array

    made, folder = import_array(file, card, _writable(data_dir), force=force)
    console = Console(soft_wrap=True)
    console.print(
        f"[green]✓[/green] {made.name}: {_span(made)}, {_grid(made)}, {', '.join(made.channels)} → {folder}\n"
        f"  next: stbench data show {made.name} --data-dir {folder.parent}",
        highlight=False,
    )


def _facts(data: SpatioTemporalData) -> dict[str, str]:
    card, identity = data.card, data.identity
    return {
        "title": card.title,
        "city": card.city,
        "domain": card.domain,
        "data": "STAND-IN, synthetic" if identity.stand_in else "real",
        "layout": identity.version,
        "sha256": identity.sha256,
        "grid": _grid(card),
        "channels": ", ".join(card.channels),
        "interval": f"{card.interval} min",
        "span": _span(card),
        "slots here": str(len(data.values)),
        "unit": card.unit,
        "licence": card.licence,
        "citation": card.citation,
        "homepage": card.homepage,
        "known layouts": "\n".join(card.formats),
        **({"to get it": card.how_to_get} if identity.stand_in else {}),
    }


def _verify(catalog: Catalog, name: str, table: Table) -> bool:
    """Add a data set's rows to the table; False if a file differs or cannot be read."""
    if not catalog.has_real(name):
        catalog.card(name)  # an unknown name is an error
        table.add_row(name, "", "", "", "[yellow]absent: a stand-in is used[/yellow]")
        return True
    findings = [finding for finding in catalog.verify(name) if finding.status != "absent"]  # of another layout
    for finding in findings:
        wanted, found = (digest[:12] if digest else "not known" for digest in (finding.expected, finding.found))
        colour = {"ok": "green", "changed": "red"}.get(finding.status, "yellow")
        table.add_row(name, escape(finding.file), wanted, found, f"[{colour}]{finding.status}[/{colour}]")
    try:
        identity = catalog.identity(name)
    except DataError as error:
        table.add_row(name, "", "", "", f"[red]not readable: {escape(str(error))}[/red]")
        return False
    table.add_row(name, "[dim]all[/dim]", "", identity.sha256[:12], f"[green]readable[/green], {identity.version}")
    return all(finding.status != "changed" for finding in findings)


def _writable(option: Path | None) -> Path:
    """The data folder, made if it is not there: a first download or import has to begin somewhere."""
    folder = option or Path(os.environ.get("STBENCH_DATA") or "data")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"the data folder {folder} cannot be made: {error.strerror}; choose another --data-dir"
        ) from error
    return folder


def _fetch(card: DatasetCard, folder: Path, console: Console) -> str:
    """Fetch a data set's files and say in one line how it went."""
    wanted = [file for file in card.files if file.url]
    names = {file.name for file in wanted}
    visible = [path.name for path in folder.glob("[!.]*")]
    if any(name not in names for name in visible):
        return f"[green]✓[/green] {card.name}: files are in {folder} already; 'stbench data verify' checks them"
    if not wanted:
        return f"[yellow]•[/yellow] {card.name}: no stable address; {escape(card.how_to_get)}; folder: {folder}"
    for file in wanted:
        _download(file, folder, console)
    return f"[green]✓[/green] {card.name}: {', '.join(file.name for file in wanted)} in {folder}"


def _download(file: RawFile, folder: Path, console: Console) -> None:
    registry.dataset_names()  # makes sure that the package 'datasets' is ours
    get = importlib.import_module("datasets._fetch").fetch
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(
        TextColumn("{task.description}"), *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(f"{folder.name}/{file.name}", total=None)
        get(file, folder, lambda done, total: bar.update(task, completed=done, total=total))


def _grid(card: DatasetCard) -> str:
    return f"{card.grid[0]} x {card.grid[1]}"


def _span(card: DatasetCard) -> str:
    days = card.slots / card.slots_per_day
    return f"{card.slots} slots ({days:.3g} days) from {card.start[:10] if card.start else 'an unknown day'}"
