"""``stbench weights``: look at, download and check pre-trained weights."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import registry
from bench.cli_options import WeightsDir, use_weights_dir
from bench.errors import ConfigError, UnknownNameError, WeightsError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Names = Annotated[list[str] | None, typer.Argument(help="Backbones.", show_default=False)]


@app.command("list")
def list_weights(weights_dir: WeightsDir = None) -> None:
    """List all backbones and say whose weights are here: in the weights folder, or in the hub's cache."""
    from bench.weights import find, weights_folder

    use_weights_dir(weights_dir)
    table = Table(
        "name", "library", "weights", "licence", "width x depth", "here", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in table.columns:
        column.no_wrap, column.overflow = column.header != "weights", "fold"
    for name, facts in backbones().items():
        found = find(facts.source)
        here = f"[green]{found.where}[/green]" if found else "[yellow]absent[/yellow]"
        table.add_row(
            name, facts.library, f"{facts.name}.{facts.tag}", facts.licence, f"{facts.width} x {facts.depth}", here
        )
    console = Console()
    console.print(table)
    console.print(f"weights folder: {weights_folder() or 'none'}", highlight=False, soft_wrap=True)


@app.command()
def fetch(
    names: Names = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every backbone; about 9 GB.")] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Download weights into the weights folder if one is given, else into the hub's cache."""
    from bench.weights import fetch as download
    from bench.weights import find, weights_folder

    if everything == bool(names):
        raise ConfigError("fetch wants names of backbones, or --all; 'stbench weights list' shows the names")
    use_weights_dir(weights_dir, make=True)
    folder, console = weights_folder(), Console(soft_wrap=True)
    for name, facts in _chosen(names).items():
        found = find(facts.source)
        if found and (folder is None or found.where == "folder"):
            console.print(f"[green]✓[/green] {name}: already in {found.path}", highlight=False)
        else:
            console.print(f"[green]✓[/green] {name}: {download(facts.source, folder)}", highlight=False)


@app.command()
def verify(names: Names = None, weights_dir: WeightsDir = None) -> None:
    """Hold the weights that are here against their architectures and the hub's digests; exit 1 if something differs."""
    from bench.weights import find

    use_weights_dir(weights_dir)
    table = Table("name", "file", "tensors", "sha256", "verdict", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns:
        column.no_wrap, column.overflow = column.header != "file", "fold"
    problems = []
    for name, facts in _chosen(names).items():
        found = find(facts.source)
        if found or names:
            problems.append(_verify(name, facts, found.path if found else None, table))
    console = Console(soft_wrap=True)
    console.print(table if problems else "nothing to verify: no weights are here", soft_wrap=not problems)
    for problem in filter(None, problems):
        console.print(f"[red]✗[/red] {escape(problem)}", highlight=False)
    if any(problems):
        raise typer.Exit(1)


def _verify(name: str, facts: Any, path: Path | None, table: Table) -> str | None:
    """Add a file's row to the table; what is wrong with it, if anything is."""
    from bench.weights import recorded_sha256

    if path is None:
        table.add_row(name, "", "", "", "[red]absent[/red]")
        return f"{name}: {facts.source} is not here; 'stbench weights fetch {name}' fetches it"
    try:
        tensors = importlib.import_module("stvfm.backbones").check(name, path)
    except WeightsError as error:
        table.add_row(name, str(path), "", "", "[red]broken[/red]")
        return f"{name}: {error}"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = recorded_sha256(facts.source, path)
    if wanted not in (None, found):
        table.add_row(name, str(path), str(tensors), "differs", "[red]changed[/red]")
        return f"{name}: {path} is not the file that was fetched; delete it and fetch it again"
    table.add_row(name, str(path), str(tensors), "the hub's" if wanted else "not recorded", "[green]ok[/green]")
    return None


def backbones() -> Mapping[str, Any]:
    registry.find("model", "stvfm")  # makes sure that the package is ours
    backbones: Mapping[str, Any] = importlib.import_module("stvfm.zoo").BACKBONES
    return backbones


def _chosen(names: list[str] | None) -> dict[str, Any]:
    known = backbones()
    for name in names or ():
        if name not in known:
            raise UnknownNameError("backbone", name, known)
    return {name: known[name] for name in names or known}
