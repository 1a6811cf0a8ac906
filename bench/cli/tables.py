"""The command ``tables``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir, Source, nothing


def tables(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Suites, TOML files of suites, ranks, efficiency, per_horizon, tuning_ledger; all that have rows if "
            "none is given."
        ),
    ] = None,
    *,
    results: ResultsDir = Path("results"),
    source: Source = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a table on disk differs.")] = False,
) -> None:
    """Write the tables (md, tex, csv) from the records."""
    from bench.analysis.formats.files import differing_files
    from bench.cli.output import checked, table_texts, write_tables

    if check:
        texts = table_texts(results, source, names or ())
        differing = differing_files(results / "tables", texts)
        for path in differing:
            print_line(f"{path} differs from the records; 'stbench tables' writes it anew")
        print_line(checked(results, source, texts, len(differing)))
        raise typer.Exit(1 if differing else 0)
    written = write_tables(results, source, names or ()) if source is not None or results.exists() else []
    for path in written:
        print_line(str(path))
    if not written:
        print_line(f"no table has rows: {nothing(results, source, names or ())}")
