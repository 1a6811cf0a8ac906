"""The command ``report``: all results in one file to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir, Source, check_results, nothing, open_results
from bench.cli.terminal import Console
from bench.errors import ConfigError


def report(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="TOML files of suites of your own; the suites of the project are there in any case."),
    ] = None,
    *,
    results: ResultsDir = Path("results"),
    source: Source = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to (default: <results>/report.html).")] = None,
) -> None:
    """Write one HTML file with all tables, figures, audits and how to reproduce them; it needs no network.

    Tables and figures are those of the suites that come with the project and of the files named.
    """
    from bench.analysis.figures._files import Look, pictures
    from bench.analysis.formats.files import write_files
    from bench.analysis.report import page
    from bench.cli.output import letters_told

    check_results(results, source)
    console, path = Console(), out or results / "report.html"
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder; name a file, such as {path / 'report.html'}")
    for name in files or ():
        if not name.endswith(".toml"):
            raise ConfigError(f"'{name}' is no TOML file; the report has all suites of the project, name only your own")
    opened = open_results(results, source, files or ())
    with console.status("tables") as status, letters_told():
        drawn = pictures(opened, page.shown(opened, "figures"), Look(formats=(".png",)), step=status.update)
        text = page.report(opened, drawn)
    write_files(path.parent, {path.name: page.encoded(text)})
    print_line(str(path))
    if not opened.runs:
        print_line(f"it is empty: {nothing(results, source)}")
