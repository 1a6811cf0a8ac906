"""The command ``tables``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.console import print_line
from bench.cli.options import Out, ResultsDir, Source, check_results, nothing
from bench.errors import ConfigError

TableNames = Annotated[
    list[str] | None,
    typer.Argument(
        help="Suites, TOML files of suites, ranks, efficiency, per_horizon, tuning_ledger; all that have rows if "
        "none is given.",
        autocompletion=complete.tables,
    ),
]


def tables(
    names: TableNames = None,
    *,
    results: ResultsDir = Path("results"),
    source: Source = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", help="Show this metric: mae, rmse, mape, wape, r2, scaled_mae; may be repeated."),
    ] = None,
    beside: Annotated[
        bool, typer.Option("--side-by-side", help="Metrics side by side in one grid, methods down the page.")
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "--columns", help="Only this column of the named tables; may be repeated."),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option("--row", "--rows", help="Only this row of the named tables; may be repeated.")
    ] = None,
    paper: Annotated[
        str, typer.Option("--paper", help="What the LaTeX is for: a two-column or a one-column paper.")
    ] = "two-column",
    out: Out = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a table on disk differs.")] = False,
) -> None:
    """Write the tables (md, tex, csv) from the records.

    A choice of metrics, columns, rows or paper is written to <results>/paper unless --out says where to:
    <results>/tables stays as runs leave it.
    """
    from bench.analysis.choice import AS_IT_IS, Choice
    from bench.cli.output import check_tables, write_tables

    check_results(results, source)
    if (column or row) and not names:
        raise ConfigError("say whose columns and rows are meant, such as 'stbench tables short_term --column BikeNYC'")
    choice = Choice(metrics=tuple(metric or ()), beside=beside, columns=tuple(column or ()), rows=tuple(row or ()))
    chosen = choice != AS_IT_IS or paper != "two-column"
    folder = out or results / ("paper" if chosen else "tables")
    if check:
        wrong, told = check_tables(results, source, names or (), choice, paper, folder)
        for line in (*wrong, told):
            print_line(line)
        raise typer.Exit(1 if wrong else 0)
    written = write_tables(results, source, names or (), choice, paper, folder)
    for path in written:
        print_line(str(path))
    if not written:
        print_line(f"no table has rows: {nothing(results, source, names or ())}")
