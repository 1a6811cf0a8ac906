"""The command ``plots``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.complete import figures
from bench.cli.console import print_line
from bench.cli.options import Out, ResultsDir, Source, check_results, nothing


def plots(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Suites, TOML files of suites, or names as below; all if none is given.", autocompletion=figures
        ),
    ] = None,
    *,
    results: ResultsDir = Path("results"),
    source: Source = None,
    width: Annotated[
        str, typer.Option("--width", help="page (6.8 inches) or column (3.3 inches, one column of two).")
    ] = "page",
    titles: Annotated[
        bool, typer.Option("--titles", help="Draw title and caption into the figure, for slides and the screen.")
    ] = False,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="png, pdf or svg; may be repeated (default: png and pdf).")
    ] = None,
    out: Out = None,
) -> None:
    """Draw figures: of the suites that compare, over suites, and of tuning.

    Type is of 7 to 8 points. Title and caption stand beside each figure, in a .tex file for a paper to include. Another
    width, titles or formats are written to <results>/paper unless --out says where to.

    Over suites: answer (what the controls of ST-VFM change, and the error against the data), ranks, per_horizon (error
    by step), efficiency (accuracy against cost), learning (curves), seeds (as points), maps (truth, forecast and error
    of one window chosen by rule), daily (error by time of day), fractions (error by share of the training windows). Of
    studies: tuning.
    """
    from bench.analysis.figures._files import LOOK_OF_PAGE, Look
    from bench.analysis.results import figure_needs
    from bench.cli.output import write_figures
    from bench.runs.suite import load_suites

    check_results(results, source)
    endings = tuple(f".{ending.removeprefix('.')}" for ending in formats or ())
    look = Look(width=width, titles=titles, formats=endings or LOOK_OF_PAGE.formats)
    folder = out or results / ("figures" if look == LOOK_OF_PAGE else "paper")
    written = write_figures(results, source, names or (), look, folder)
    for path in written:
        print_line(str(path))
    if not written:
        print_line(f"no figure has data: {nothing(results, source, names or ())}")
    for name in names or ():
        stem = load_suites([name])[0].name if name.endswith(".toml") else name
        if not any(path.name.startswith(f"{stem}-") for path in written):
            print_line(f"{name}: no figure; it needs {figure_needs(name)}")
    if not written and not names:
        print_line("'stbench run --suite controls' makes some")
