"""``stbench weights``: look at, download and check pre-trained weights."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.catalog import registry
from bench.cli.console import plain_table
from bench.cli.options import Names, WeightsDir, use_weights_dir
from bench.errors import ConfigError, HubUnreachableError, UnknownNameError, WeightsError
from bench.weights import Source

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

TABLES: Final = (  # a model, the setting that names its pre-trained part, their table, and who can check a file
    ("stvfm", "backbone", "stvfm.zoo", "BACKBONES", "stvfm.backbones"),
    ("time_llm", "llm", "baselines._zoo", "LANGUAGE_MODELS", "baselines._language"),
    ("visionts", "mae", "baselines._zoo", "AUTOENCODERS", "baselines.visionts"),
)


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """A pre-trained model inside one of ours.

    Attributes:
        setting: The setting that names it.
        size: Width and depth.
        sources: Its files, the weights first.
        checker: Module whose ``check`` holds a file of weights against the architecture.
    """

    setting: str
    licence: str
    size: str
    sources: tuple[Source, ...]
    checker: str


@app.command("list")
def list_weights(weights_dir: WeightsDir = None) -> None:
    """List pre-trained models and whether their weights are in the weights folder or in the hub's cache."""
    from bench.weights import find, weights_folder

    use_weights_dir(weights_dir)
    table = plain_table(("name", "setting", "repository", "licence", "width x depth", "here"), "repository")
    for name, facts in pretrained().items():
        files = [find(source) for source in facts.sources]
        folders = dict.fromkeys(where for _, where in filter(None, files))
        here = f"[green]{' and '.join(folders)}[/green]" if all(files) else "[yellow]absent[/yellow]"
        table.add_row(name, f"model.{facts.setting}", facts.sources[0].repository, facts.licence, facts.size, here)
    console = Console()
    console.print(table)
    console.print(f"weights folder: {weights_folder() or 'none'}", highlight=False, soft_wrap=True)


@app.command()
def fetch(
    names: Names = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All of them: many gigabytes.")] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Download weights into the weights folder if one is given, else into the hub's cache; exit 1 if some cannot be."""
    from bench.weights import weights_folder

    if everything == bool(names):
        raise ConfigError("fetch wants names of pre-trained models, or --all; 'stbench weights list' shows the names")
    use_weights_dir(weights_dir, make=True)
    folder, console = weights_folder(), Console(soft_wrap=True)
    problems: list[str] = []
    for name, facts in _chosen(names).items():
        for source in facts.sources:
            try:
                console.print(f"[green]✓[/green] {name}: {_fetched(source, folder)}", highlight=False)
            except HubUnreachableError:  # it will not answer for the others
                _print_problems(console, problems)
                raise
            except WeightsError as error:
                problems.append(f"{name}: {error}")
    _print_problems(console, problems)
    if problems:
        raise typer.Exit(1)


def _print_problems(console: Console, problems: list[str]) -> None:
    for problem in problems:
        console.print(f"[red]✗[/red] {escape(problem)}", highlight=False)


def _fetched(source: Source, folder: Path | None) -> str:
    """Where a file is now, and whether it was there before."""
    from bench.weights import fetch as download
    from bench.weights import find

    path, where = find(source) or (None, "")
    if path and (folder is None or where == "folder"):
        return f"already in {path}"
    return str(download(source, folder))


@app.command()
def verify(names: Names = None, weights_dir: WeightsDir = None) -> None:
    """Check weights against their architectures and the hub's digests; exit 1 if something differs."""
    from bench.weights import find

    use_weights_dir(weights_dir)
    table = plain_table(("name", "file", "tensors", "sha256", "verdict"), "file")
    answers = []
    for name, facts in _chosen(names).items():
        for source in facts.sources:
            path, _ = find(source) or (None, "")
            if path or names:
                answers.append(_verify(name, facts.checker, source, path, table))
    console = Console(soft_wrap=True)
    console.print(table if answers else "nothing to verify: no weights are here", soft_wrap=not answers)
    problems = [answer for answer in answers if answer]
    _print_problems(console, problems)
    if problems:
        raise typer.Exit(1)


def _verify(name: str, checker: str, source: Source, path: Path | None, table: Table) -> str | None:
    """Add a file's row to the table; what is wrong with it, if anything is."""
    from bench.weights import recorded_sha256

    if path is None:
        table.add_row(name, source.file, "", "", "[red]absent[/red]")
        return f"{name}: {source} is not here; 'stbench weights fetch {name}' fetches it"
    tensors = ""
    if path.suffix == ".safetensors":
        try:
            tensors = str(importlib.import_module(checker).check(name, path))
        except WeightsError as error:
            table.add_row(name, str(path), "", "", "[red]broken[/red]")
            return f"{name}: {error}"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    wanted = recorded_sha256(source, path)
    if wanted not in (None, digest):
        table.add_row(name, str(path), tensors, "differs", "[red]changed[/red]")
        return f"{name}: {path} is not the file that was fetched; delete it and fetch it again"
    table.add_row(name, str(path), tensors, "the hub's" if wanted else "not recorded", "[green]ok[/green]")
    return None


def pretrained() -> dict[str, Pretrained]:
    """What can be pre-trained, by name."""
    entries = {}
    for model, setting, module, table, checker in TABLES:
        registry.find("model", model)  # makes sure that the package is ours
        for name, facts in getattr(importlib.import_module(module), table).items():
            if facts.sources:
                entries[name] = Pretrained(
                    setting=setting,
                    licence=facts.licence,
                    size=f"{facts.width} x {facts.depth}",
                    sources=facts.sources,
                    checker=checker,
                )
    return entries


def _chosen(names: list[str] | None) -> dict[str, Pretrained]:
    known = pretrained()
    for name in names or ():
        if name not in known:
            raise UnknownNameError("pre-trained model", name, known)
    return {name: known[name] for name in names or known}
