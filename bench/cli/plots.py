"""The command ``plots``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir, Source, nothing


def plots(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Suites, TOML files of suites, or names as below; all if none is given."),
    ] = None,
    *,
    results: ResultsDir = Path("results"),
    source: Source = None,
) -> None:
    """Draw figures (png, pdf): of the suites that compare variants, over suites, and of tuning.

    Over suites: ranks, per_horizon (error by step), efficiency (accuracy against
    cost), learning (curves), seeds (as points), maps (truth, forecast and error of
    one window chosen by rule), daily (error by time of day), fractions (error by share
    of the training windows). Of studies: tuning.
    """
    from bench.cli.output import write_figures

    written = write_figures(results, source, names or ()) if source is not None or results.exists() else []
    for path in written:
        print_line(str(path))
    if not written:
        print_line(f"no figure has data: {nothing(results, source, names or ())}")
        if not names or set(names) - {"tuning"}:
            print_line("figures of suites compare variants; 'stbench run --suite controls' makes some")
