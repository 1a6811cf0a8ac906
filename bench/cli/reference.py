"""The command ``reference``: results to commit, and what a document says of them first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bench.cli.console import print_line
from bench.cli.options import open_results
from bench.cli.terminal import Console
from bench.errors import ConfigError, StoreError
from bench.plain_text import counted

if TYPE_CHECKING:
    from bench.analysis.results import Results
    from bench.analysis.sums import Alteration

REMEDIES: Final[Mapping[Alteration, str]] = {
    "was changed": "restore what was changed from version control, or --take the results folder that it comes from",
    "was added": "delete what was added, and --take the results folder that it comes from if it is wanted",
    "is gone": "restore what is gone from version control, --take the results folder that it comes from, or delete its "
    "line in SHA256SUMS",
}
"""What mends records that are not as they were taken, by what happened to them."""
RUN_AGAIN: Final = "run it again, or declare the code equal in bench/catalog/equal_code.toml"


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

    Not taken are runs of earlier code, of the quick profile, on synthetic data but
    those of the suite planted, of models and data sets of your own, and forecasts
    made elsewhere.
    """
    from bench.analysis import reference as made
    from bench.analysis.contradictions import contradictions
    from bench.analysis.formats.files import write_files
    from bench.analysis.sums import SUMS, altered_records, read_sums
    from bench.cli.output import letters_told

    console = Console()
    if check and take:
        raise ConfigError("--check writes nothing; leave --take out")
    for folder in take or ():
        print_line(_taken(folder, results))
    if not results.is_dir():
        raise ConfigError(f"there is no folder {results}; --take RESULTS makes it of the runs in a results folder")
    altered = altered_records(results, read_sums(results / SUMS))
    with console.status("reading the records") as status, letters_told():
        opened = open_results(results, None)
        contradicting = contradictions(opened.records)
        if not check:
            _refuse(results, altered, contradicting)
        files = made.reference_files(opened, results, status.update)
    wrong = [f"stale: {name}; {RUN_AGAIN}" for name in made.stale(opened)] + contradicting
    wrong += [f"{name} {what}; {REMEDIES[what]}" for name, what in altered.items()]
    if check:
        remedy = "" if altered or contradicting else "; 'stbench reference' mends it"
        wrong += [f"{path} {told}{remedy}" for path, told in _differing(results, files, opened, document).items()]
    else:
        write_files(results, files)
        if document is not None:
            made.written_document(document, opened, _link(results, document))
    for line in wrong:
        print_line(line)
    number, runs = counted(len(files), "file"), counted(len(opened.runs), "run")
    print_line(
        f"checked {number} against {runs} in {results}" if check else f"{results}: {runs}, {number} made of them"
    )
    raise typer.Exit(1 if check and (wrong or opened.unread) else 0)


def _refuse(results: Path, altered: Mapping[str, Alteration], contradicting: Sequence[str]) -> None:
    """Make nothing of records that are not as they were taken, or contradict themselves.

    Raises:
        ConfigError, StoreError: If there are any.
    """
    if altered:
        found = ", ".join(f"{name} {what}" for name, what in altered.items())
        remedies = "; ".join(remedy for what, remedy in REMEDIES.items() if what in altered.values())
        raise ConfigError(
            f"no table is made of records that are not as they were taken into {results}: {found}; {remedies}"
        )
    if contradicting:
        raise StoreError(f"no table is made of such records: {'; '.join(contradicting)}; make their runs again")


def _link(results: Path, document: Path | None) -> str:
    """The folder as a document names it, from its own folder on, wherever the command is given."""
    return Path(os.path.relpath(results, document.parent if document else Path())).as_posix()


def _taken(folder: Path, results: Path) -> str:
    """Take the runs of a results folder; says how many."""
    from bench.analysis.reference import takable, take
    from bench.analysis.sums import SUMS, altered_records, noted

    if not folder.is_dir():
        raise ConfigError(f"there is no folder {folder}; --take wants a results folder")
    if folder.resolve() == results.resolve():
        raise ConfigError(f"{folder} is not taken from itself; --take the results folder where the runs were made")
    if changed := [name for name, what in altered_records(folder, noted(folder)).items() if what == "was changed"]:
        raise ConfigError(
            f"{folder} is not taken; not as its {SUMS} says: {', '.join(changed)}; restore what was changed"
        )
    opened = open_results(folder, None)
    good = takable(opened)
    new = take(good, results)
    others = f"{len(good) - new} already there, {len(opened.runs) - len(good)} left out"
    return f"{folder}: {counted(new, 'run')} taken, {others}"


def _differing(
    results: Path, files: Mapping[str, bytes | None], opened: Results, document: Path | None
) -> dict[Path, str]:
    """What is wrong with files made of the records and with a document, by path."""
    from bench.analysis.formats.files import differences
    from bench.analysis.reference import document_text, with_first_screen

    differing = {results / name: told for name, told in differences(results, files).items()}
    if document is not None:
        text = document_text(document)
        if with_first_screen(text, opened, _link(results, document)) != text:
            differing[document] = "differs from the records"
    return differing
