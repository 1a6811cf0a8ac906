"""``stbench weights``: look at, download and check pre-trained weights."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from bench.catalog import registry
from bench.catalog.pretrained import PARTS, SHORT, sha256_of
from bench.cli.console import plain_table
from bench.cli.options import PretrainedNames, WeightsDir, use_weights_dir
from bench.cli.terminal import Console
from bench.errors import ConfigError, HubUnreachableError, UnknownNameError, WeightsError
from bench.weights import Source

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


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
    from bench.weights import weights_folder

    use_weights_dir(weights_dir)
    table = plain_table(("name", "setting", "repository", "licence", "width x depth", "here"), "repository")
    for name, facts in pretrained().items():
        table.add_row(
            name, f"model.{facts.setting}", facts.sources[0].repository, facts.licence, facts.size, _here(facts.sources)
        )
    console = Console()
    console.print(table)
    console.print(f"weights folder: {weights_folder() or 'none'}", highlight=False, soft_wrap=True)
    _print_strangers(console)


def _print_strangers(console: Console) -> None:
    """Name what lies in the weights folder and is none of the list."""
    from bench.weights import weights_folder

    folder = weights_folder()
    known = {source.repository for facts in pretrained().values() for source in facts.sources}
    places = folder.glob("[!.]*/[!.]*/") if folder else ()
    if others := sorted(name for path in places if (name := f"{path.parent.name}/{path.name}") not in known):
        text = f"not of this list: {', '.join(others)} in {folder}; --set model.llm=OWNER/NAME takes a language model"
        console.print(escape(text), highlight=False, soft_wrap=True)


def _here(sources: tuple[Source, ...]) -> str:
    """Where files are, or what is there in their place."""
    from bench.weights import find, is_pointer

    files = [find(source) for source in sources]
    if any(is_pointer(path) for path, _ in filter(None, files)):
        return "[red]a Git LFS pointer, not the weights[/red]"
    folders = dict.fromkeys(where for _, where in filter(None, files))
    return f"[green]{' and '.join(folders)}[/green]" if all(files) else "[yellow]absent[/yellow]"


@app.command()
def fetch(
    names: PretrainedNames = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All of them: many gigabytes.")] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Download weights into the weights folder if one is given, else into the hub's cache; exit 1 if some cannot be."""
    from bench.weights import weights_folder

    if everything == bool(names):
        raise ConfigError("fetch wants names of pre-trained models, or --all; 'stbench weights list' shows the names")
    new = weights_dir is not None and not weights_dir.exists()
    use_weights_dir(weights_dir, make=True)
    folder, console = weights_folder(), Console(soft_wrap=True)
    try:
        problems = _fetch_all(_chosen(names), folder, console)
    finally:
        if new and folder is not None:
            with suppress(OSError):  # it holds something
                folder.rmdir()
    if problems:
        raise typer.Exit(1)


def _fetch_all(chosen: Mapping[str, Pretrained], folder: Path | None, console: Console) -> list[str]:
    """Fetch files and print what became of each; returns what went wrong."""
    problems: list[str] = []
    for name, facts in chosen.items():
        for source in facts.sources:
            try:
                console.print(
                    f"[green]✓[/green] {name}: {escape(_fetched(name, facts.checker, source, folder))}", highlight=False
                )
            except HubUnreachableError:  # it will not answer for the others
                _print_problems(console, problems)
                raise
            except WeightsError as error:
                problems.append(f"{name}: {error}")
    _print_problems(console, problems)
    return problems


def _print_problems(console: Console, problems: list[str]) -> None:
    for problem in problems:
        console.print(f"[red]✗[/red] {escape(problem)}", highlight=False)


def _fetched(name: str, checker: str, source: Source, folder: Path | None) -> str:
    """Where a file is now, and whether it was there before; what is no whole file is replaced.

    Raises:
        WeightsError: If it cannot be had, or if ``verify`` would find something wrong with it.
    """
    from bench.weights import fetch as download
    from bench.weights import find

    path, where = find(source) or (None, "")
    here = path if folder is None or where == "folder" else None
    wrong = _what_is_wrong(here) if here else ""
    found = here
    if found is None or wrong:
        try:
            found = download(source, folder)
        except WeightsError as error:
            raise type(error)(f"{wrong}; fetching it again failed: {error}" if wrong else str(error)) from error
    answer = _verified(name, checker, source, found)
    if answer.wrong:
        raise WeightsError(answer.text.removeprefix(f"{name}: "))
    return f"already in {found}" if found == here and not wrong else str(found)


def _what_is_wrong(path: Path) -> str:
    """Why a file is no whole one; empty if it is."""
    from bench.weights import check_complete

    try:
        check_complete(path)
    except WeightsError as error:
        return str(error)
    return ""


def _known(source: Source, path: Path) -> str:
    """What a file is, in a word or a few.

    Raises:
        WeightsError: If digests of this source are known, and the file has none of them.
    """
    from bench.known_weights import known_digests

    known, digest = known_digests(source.repository, source.file), sha256_of(path)
    if digest in known:
        return f"known ({known[digest]})"
    if known:
        raise WeightsError(
            f"{path} is not these weights (wanted sha256 {_listed(known)}, found {digest}); delete it and fetch it "
            "again"
        )
    return "unknown to us"


def _listed(known: Mapping[str, str]) -> str:
    return " or ".join(f"{digest} ({what})" for digest, what in known.items())


@app.command()
def verify(names: PretrainedNames = None, weights_dir: WeightsDir = None) -> None:
    """Check weights against their architectures and known digests; exit 1 if something differs.

    'unknown to us' is no error: nobody can say then that the file is what its name says.
    """
    from bench.weights import find

    use_weights_dir(weights_dir)
    table = plain_table(("name", "file", "tensors", "sha256", "verdict"), "file")
    answers, absent = [], []
    for name, facts in _chosen(names).items():
        for source in facts.sources:
            path, _ = find(source) or (None, "")
            if path or names:
                answers.append(_verified(name, facts.checker, source, path))
                table.add_row(name, str(path or source.file), *answers[-1].cells)
            elif name not in absent:
                absent.append(name)
    console = Console(soft_wrap=True)
    console.print(table if answers else "nothing to verify: no weights are here", soft_wrap=not answers)
    for answer in answers:
        if not answer.wrong:
            console.print(f"[green]✓[/green] {escape(answer.text)}", highlight=False)
    if absent:
        console.print(f"not here: {', '.join(absent)}", highlight=False)
    if not names:
        _print_strangers(console)
    problems = [answer.text for answer in answers if answer.wrong]
    _print_problems(console, problems)
    if problems:
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was found of one file.

    Attributes:
        wrong: What is wrong with it, in a word or two; empty if nothing is.
        text: All of it in a sentence.
    """

    text: str
    wrong: str = ""
    tensors: str = ""
    digest: str = ""
    verdict: str = ""

    @property
    def cells(self) -> tuple[str, str, str]:
        """Of its row: tensors, digest and verdict."""
        verdict = f"[red]{self.wrong}[/red]" if self.wrong else f"[green]{self.verdict}[/green]"
        return self.tensors, self.digest[:SHORT], verdict


def _verified(name: str, checker: str, source: Source, path: Path | None) -> Answer:
    from bench.weights import is_pointer, looks_untrained, recorded_sha256

    if path is None:
        text = f"{name}: {source} is not here; 'stbench weights fetch {name}' fetches it"
        return Answer(wrong="absent", text=text)
    tensors, doubt = "", ""
    try:
        if path.suffix == ".safetensors":
            tensors = str(importlib.import_module(checker).check(name, path))
            doubt = "; it looks untrained: every norm in it is exactly 1 and 0" if looks_untrained(path) else ""
        digest = sha256_of(path)
    except WeightsError as error:
        return Answer(wrong="a Git LFS pointer" if is_pointer(path) else "broken", text=f"{name}: {error}")
    facts = {"tensors": tensors, "digest": digest}
    if recorded_sha256(source, path) not in (None, digest):
        text = f"{name}: {path} is not the file that was fetched; delete it and fetch it again"
        return Answer(wrong="changed", text=text, **facts)
    try:
        known = _known(source, path)
    except WeightsError as error:
        return Answer(wrong="not these", text=f"{name}: {error}", **facts)
    return Answer(
        verdict=known.partition(" (")[0] + (", looks untrained" if doubt else ""),
        text=f"{name}: {source.file} is {known}, sha256 {digest}{doubt}",
        **facts,
    )


def pretrained() -> dict[str, Pretrained]:
    """What can be pre-trained, by name."""
    entries = {}
    for model, part in PARTS.items():
        registry.find("model", model)  # makes sure that the package is ours
        for name, facts in getattr(importlib.import_module(part.module), part.table).items():
            if facts.sources and name not in entries:
                entries[name] = Pretrained(
                    setting=part.setting,
                    licence=facts.licence,
                    size=f"{facts.width} x {facts.depth}",
                    sources=facts.sources,
                    checker=part.checker,
                )
    return entries


def _chosen(names: list[str] | None) -> dict[str, Pretrained]:
    known = pretrained()
    for name in names or ():
        if name not in known:
            raise UnknownNameError("pre-trained model", name, known)
    return {name: known[name] for name in names or known}
