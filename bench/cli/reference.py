"""The command ``reference``: results to commit, and what a document says of them first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bench.cli.console import print_line
from bench.cli.options import open_results
from bench.cli.terminal import Console
from bench.errors import ConfigError
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.analysis.reference import Alteration
    from bench.analysis.results import Results

REMEDIES: Final[Mapping[Alteration, str]] = {
    "was changed": "restore what was changed from version control, or --take it again",
    "was added": "delete what was added, and --take the results folder that it comes from if it is wanted",
    "is gone": "restore what is gone from version control, --take it again, or delete its line in SHA256SUMS",
}
"""What mends records that are not as they were taken, by what happened to them."""


def reference(
    *,
    results: Annotated[Path, typer.Option("--results", help="The folder of reference results.")] = Path(
        "results/reference"
    ),
    take: Annotated[
        list[Path] | None,
        typer.Option("--take", help="Take the finished runs of this results folder; may be repeated."),
    ] = None,
    document: Annotated[
        Path | None, typer.Option("--document", help="A document whose marked part says what came of them.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if a file differs, or a record is stale or altered.")
    ] = False,
) -> None:
    """Make the reference results: records to commit, their tables, figures, report and README.

    Not taken are runs of earlier code, of the quick profile, on synthetic data, of
    models and data sets of your own, and forecasts made elsewhere.
    """
    from bench.analysis import reference as made
    from bench.analysis.formats.files import differences, write_files
    from bench.cli.output import letters_told

    console = Console()
    if check and take:
        raise ConfigError("--check writes nothing; leave --take out")
    for folder in take or ():
        print_line(_taken(folder, results))
    if not results.is_dir():
        raise ConfigError(f"there is no folder {results}; --take RESULTS makes it of the runs in a results folder")
    altered = made.altered(results)
    if altered and not check:
        found = ", ".join(f"{name} {what}" for name, what in altered.items())
        remedies = "; ".join(remedy for what, remedy in REMEDIES.items() if what in altered.values())
        raise ConfigError(
            f"no table is made of records that are not as they were taken into {results}: {found}; {remedies}"
        )
    with console.status("reading the records") as status, letters_told():
        opened = open_results(results, None)
        files = made.reference_files(opened, results, status.update)
    stale, link = made.stale(opened), _link(results, document)
    for name in stale:
        print_line(f"stale: {name}; run it again, or declare the code equal in bench/catalog/equal_code.toml")
    for name, what in altered.items():
        print_line(f"{name} {what}; {REMEDIES[what]}")
    if not check:
        write_files(results, files)
        if document is not None:
            made.written_document(document, opened, link)
        print_line(f"{results}: {counted(len(opened.runs), 'run')}, {counted(len(files), 'file')} made of them")
        return
    differing = {results / name: told for name, told in differences(results, files).items()}
    differing |= _differing(document, opened, link)
    for path, told in differing.items():
        print_line(f"{path} {told}; 'stbench reference' mends it")
    print_line(f"checked {counted(len(files), 'file')} against {counted(len(opened.runs), 'run')} in {results}")
    raise typer.Exit(1 if altered or differing or stale else 0)


def _link(results: Path, document: Path | None) -> str:
    """The folder as a document names it, from its own folder on, wherever the command is given."""
    return Path(os.path.relpath(results, document.parent if document else Path())).as_posix()


def _taken(folder: Path, results: Path) -> str:
    """Take the runs of a results folder; says how many."""
    from bench.analysis.reference import takable, take

    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}; --take wants a results folder")
    opened = open_results(folder, None)
    good = takable(opened)
    new = take(good, results)
    others = f"{len(good) - new} already there, {len(opened.runs) - len(good)} left out"
    return f"{folder}: {counted(new, 'run')} taken, {others}"


def _differing(document: Path | None, opened: Results, link: str) -> dict[Path, str]:
    """What is wrong with a document, by its path."""
    from bench.analysis.reference import document_text, with_first_screen

    if document is None:
        return {}
    text = document_text(document)
    return {} if with_first_screen(text, opened, link) == text else {document: "differs from the records"}
