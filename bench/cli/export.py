"""The command ``export``: all results in one file to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir, open_results
from bench.cli.terminal import Console


def export(
    names: Annotated[
        list[str] | None, typer.Argument(help="Suites, or TOML files of suites; all runs if none is given.")
    ] = None,
    *,
    results: ResultsDir = Path("results"),
    out: Annotated[Path | None, typer.Option("--out", help="Zip to write (default: <results>/supplement.zip).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a zip that is there.")] = False,
) -> None:
    """Write a paper's supplement: one zip of records, tables, figures, report and the suites that were run."""
    from bench.analysis.supplement import check_free, supplement, write_zip

    console, path = Console(), out or results / "supplement.zip"
    check_free(path, force=force)
    with console.status("reading the records") as status:
        files = supplement(open_results(results, None, names or ()), results, names or (), status.update)
        status.update("packing")
        write_zip(files, path, force=force)
    print_line(f"{path}: {len(files)} files")
