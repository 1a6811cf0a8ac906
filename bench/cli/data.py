"""``stbench data``: look at, check, download and import data sets."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from bench.catalog.titles import files_known
from bench.cli.beside_data import print_absent, print_strangers
from bench.cli.complete import datasets
from bench.cli.console import plain_table
from bench.cli.fetch_data import drop_if_empty, fetch_files
from bench.cli.looking import cache_in
from bench.cli.options import DataDir, DatasetNames, ResultsDir, known_names, open_catalog
from bench.cli.terminal import Console
from bench.clock import moment_of, span, times_from
from bench.errors import BenchError, ConfigError
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.types import DatasetCard, SpatioTemporalData

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command("list")
def list_datasets(data_dir: DataDir = None, results: ResultsDir = Path("results")) -> None:
    """List all data sets and whether their real data are on this machine."""
    catalog = open_catalog(data_dir, results)
    table = plain_table(("name", "title", "C x H x W", "minutes", "days", "from", "data"), "title")
    for name in catalog.names():
        table.add_row(*_listed(catalog, name))
    console = Console()
    console.print(table)
    folder = escape(str(catalog.data_dir or "none, so every data set is synthetic"))
    console.print(f"data folder: {folder}", highlight=False)
    print_strangers(console, catalog)


@app.command()
def show(
    name: Annotated[
        str, typer.Argument(help="A name, or a file such as ./mine.py.", show_default=False, autocompletion=datasets)
    ],
    out: Annotated[Path | None, typer.Option("--out", help="PNG to write (default: <results>/figures/data).")] = None,
    data_dir: DataDir = None,
    results: ResultsDir = Path("results"),
) -> None:
    """Show the facts of a data set, and draw its maps and daily profile."""
    from bench.analysis.figures._dataset import draw_dataset

    (name,) = known_names("dataset", [name])
    data = open_catalog(data_dir, results).load(name)
    mark = " (synthetic)" if data.identity.synthetic else ""
    table = Table("fact", "value", title=escape(f"{name}{mark}"), show_header=False)
    table.columns[1].overflow = "fold"
    for key, value in _facts(data).items():
        table.add_row(key, escape(value))
    console = Console(soft_wrap=True)
    console.print(table, soft_wrap=False)
    picture = draw_dataset(data, out or results / "figures" / "data" / f"{name}.png")
    console.print(f"picture: {escape(str(picture))}", highlight=False)


@app.command()
def verify(names: DatasetNames = None, data_dir: DataDir = None, results: ResultsDir = Path("results")) -> None:
    """Check raw files against the digests of their cards, and read them; exit 1 if something does not match."""
    table = Table("data set", "file", "wanted", "found", "verdict")
    with cache_in(results) as cache:
        catalog = replace(open_catalog(data_dir, results), cache=cache)
        asked = _known(catalog, names or ())
        verdicts = [_verify(catalog, name, table, absent=bool(names)) for name in asked or catalog.names()]
    console = Console()
    console.print(table if table.rows else escape(f"nothing to verify in {catalog.data_dir or 'no data folder'}"))
    if not names:
        print_absent(console, catalog)
        print_strangers(console, catalog)
    if not all(verdicts):
        raise typer.Exit(1)


@app.command()
def fetch(
    names: DatasetNames = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every data set.")] = False,
    data_dir: DataDir = None,
    results: ResultsDir = Path("results"),
) -> None:
    """Download and read the files that have a stable address; say where to get the others."""
    if everything == bool(names):
        raise ConfigError("fetch wants names of data sets, or --all; 'stbench data list' shows the names")
    from bench.catalog.data import Catalog, data_folder

    folder = data_folder(data_dir)
    catalog = Catalog(data_dir=folder, cache=results / "cache")
    asked = _known(catalog, names or ())
    console = Console(soft_wrap=True)
    failures, new = 0, not folder.exists()
    for name in catalog.names() if everything else asked:
        try:
            console.print(fetch_files(catalog, name, folder / name, console), highlight=False)
        except BenchError as error:
            failures += 1
            console.print(f"[red]✗[/red] {escape(f'{name}: {error}')}", highlight=False)
        else:
            failures += bool(names) and not (catalog.has_real(name) or catalog.is_never_real(name))
        drop_if_empty(folder / name)
    if new:
        drop_if_empty(folder)
    if failures:
        raise typer.Exit(1)


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="What holds the values: .csv, .npz, .parquet, .h5, .nc, .zarr and others.")
    ],
    card: Annotated[Path, typer.Option("--card", help="TOML card: name, interval, grid, and whatever else is known.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier import of the same name.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Import your own array, described by a TOML card, as a data set.

    The smallest card: name = "citybus", interval = 30 (minutes, or "week" or "month"), grid = [10, 20] (rows, columns).
    It may also have start, channels, use_channels, layout (T, H and W or N, and C, in any order; or long), key, times,
    nodes, absent, counts_from, empty_cells, dims, header, columns, skip_columns, time_columns, decimal, missing (such
    as [-1, "nan"]), gaps ("error" or "missing"), time_zone, time_format, nonnegative, zero_is_missing, mape_threshold,
    unit (or one for each channel), title, city, source, domain, licence, citation, homepage.
    """
    from bench.catalog.data import data_folder
    from bench.catalog.importing import import_array
    from bench.catalog.importing.summary import understood

    console = Console(soft_wrap=True)
    notes: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(f"reading {file.name}"), total=None)
        made, folder = import_array(
            file,
            card,
            data_folder(data_dir),
            force=force,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
            on_note=notes.append,
        )
    text = f"{made.name}: {_span(made)}, {_grid(made)}, {', '.join(made.channels)} → {folder}"
    console.print(f"[green]✓[/green] {escape(text)}", highlight=False)
    for note in notes:
        console.print(escape(f"  • {note}"), highlight=False)
    text, doubts = understood(folder, blocks=_can_show(console, "▁█"))
    console.print(escape(text), highlight=False)
    for doubt in doubts:
        console.print(f"[yellow]![/yellow] {escape(doubt)}", highlight=False)
    where = f"{made.name} --data-dir {shlex.quote(str(folder.parent))}"
    console.print(escape(f"next: stbench data show {where}, and stbench run --dataset {where}"), highlight=False)


def _can_show(console: Console, signs: str) -> bool:
    try:
        signs.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _listed(catalog: Catalog, name: str) -> tuple[str, ...]:
    """A data set's row, or as much of it as a broken one allows, with the reason."""
    from bench.catalog.importing.summary import duration

    try:
        card, real = catalog.card(name), catalog.has_real(name)
    except BenchError as error:
        return escape(name), f"[red]{escape(str(error))}[/red]", "", "", "", "", "[red]broken[/red]"
    state = "[green]real[/green]" if real else "[yellow]synthetic[/yellow]"
    shape = " x ".join(map(str, (len(card.channels), *card.grid)))
    step = span(card.interval) if card.yearly else str(card.interval)
    length = duration(card) if card.yearly else f"{card.slots / card.slots_per_day:.3g}"
    start = (card.start or "?")[:10]
    return escape(name), escape(card.title), shape, step, length, escape(start), state


def _known(catalog: Catalog, texts: Iterable[str]) -> tuple[str, ...]:
    """The names of data sets for names and paths of files, each of which there is."""
    names, known = known_names("dataset", texts), catalog.names()
    for name in names:
        if name not in known:
            raise catalog.unknown(name)
    return names


def _facts(data: SpatioTemporalData) -> dict[str, str]:
    card, identity = data.card, data.identity
    return {
        "title": card.title,
        "city": card.city,
        **({"source": card.source} if card.source else {}),
        "domain": card.domain,
        "data": "SYNTHETIC" if identity.synthetic else "real",
        "layout": identity.version,
        "sha256 of the array as read": identity.sha256,
        **({"sha256 of files": files} if (files := files_known(card)) and not identity.synthetic else {}),
        "grid": _grid(card),
        "channels": ", ".join(card.channels),
        "interval": span(card.interval),
        "span": _span(card),
        "slots here": str(len(data.values)),
        **_split(data),
        "unit": card.unit if isinstance(card.unit, str) else ", ".join(card.unit),
        "licence": card.licence,
        "citation": card.citation,
        "homepage": card.homepage,
        "known layouts": "\n".join(card.formats),
        **({"to get it": card.how_to_get} if identity.synthetic else {}),
    }


def _split(data: SpatioTemporalData) -> dict[str, str]:
    """The three parts of protocol strict: from when to when, where all slots follow each other from a known start."""
    if data.card.start is None or len(data.segments) != 1:
        return {}
    import numpy as np

    from bench.settings import chronological_split

    names = {"train": "train", "val": "validation", "test": "test"}
    bounds = chronological_split(len(data.values))
    ends = np.array([[start, stop - 1] for start, stop in bounds.values()])
    times = times_from(moment_of(data.card.start), data.card.interval, ends)
    texts = (f"{names[part]} {first} to {last}" for part, (first, last) in zip(bounds, times, strict=True))
    return {"split, protocol strict": "\n".join(texts).replace("T", " ")}


def _verify(catalog: Catalog, name: str, table: Table, *, absent: bool) -> bool:
    """Add a data set's rows to the table, ``absent`` ones too if asked; False if a file differs or is unreadable."""
    try:
        if catalog.has_real(name):
            return _verify_files(catalog, name, table)
    except BenchError as error:
        table.add_row(escape(name), "", "", "", f"[red]not readable: {escape(str(error))}[/red]")
        return False
    if absent:
        table.add_row(escape(name), "", "", "", "[yellow]absent: synthetic data are used[/yellow]")
    return True


def _verify_files(catalog: Catalog, name: str, table: Table) -> bool:
    title = escape(name)
    findings = [finding for finding in catalog.verify(name) if finding.status != "absent"]  # of another layout
    for finding in findings:
        wanted, actual = (digest[:12] if digest else "not known" for digest in (finding.expected, finding.actual))
        colour = {"ok": "green", "changed": "red"}.get(finding.status, "yellow")
        table.add_row(title, escape(finding.file), wanted, actual, f"[{colour}]{finding.status}[/{colour}]")
    identity = catalog.examine(name)
    version = escape(identity.version)
    table.add_row(title, "[dim]all[/dim]", "", identity.sha256[:12], f"[green]readable[/green], {version}")
    return all(finding.status != "changed" for finding in findings)


def _grid(card: DatasetCard) -> str:
    return f"{card.grid[0]} x {card.grid[1]}"


def _span(card: DatasetCard) -> str:
    from bench.catalog.importing.summary import duration

    start = card.start[:10] if card.start else "an unknown day"
    return f"{counted(card.slots, 'slot')} ({duration(card)}) from {start}"
