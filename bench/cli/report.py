"""The commands ``report`` and ``export``: all results in one file to read, and in one file to hand on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from bench.cli.options import Results, Source, chosen_tables, current_frame, nothing
from bench.errors import ConfigError

if TYPE_CHECKING:
    from bench.analysis.grouping import Row
    from bench.analysis.report.page import Contents

Suites = Annotated[list[str] | None, typer.Argument(help="Suites, or TOML files of suites; all runs if none is given.")]


def report(
    *,
    results: Results = Path("results"),
    source: Source = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to (default: <results>/report.html).")] = None,
) -> None:
    """Write one HTML file with all tables, figures, certificates and how to make them again; it needs no network."""
    from bench.analysis.report.page import all_pictures, make_report, write_report
    from bench.analysis.results import Runs
    from bench.cli.studies import origin
    from bench.records.frame import collector_paused

    console, path = Console(), out or results / "report.html"
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder; name a file, such as {path / 'report.html'}")
    with collector_paused():
        runs = Runs(current_frame(results, source))
        with origin(results, source) as studied:
            contents = contents_of(runs.rows, studied, ())
    with collector_paused(), console.status("tables") as status:
        drawn = all_pictures(runs, contents, formats=(".png",), step=status.update)
        text = make_report(runs, contents, drawn)
    write_report(text, path)
    console.print(str(path), markup=False, highlight=False, soft_wrap=True)
    if not runs.rows:
        console.print(f"it is empty: {nothing(results, source)}", markup=False, highlight=False, soft_wrap=True)


def export(
    names: Suites = None,
    *,
    results: Results = Path("results"),
    out: Annotated[Path | None, typer.Option("--out", help="Zip to write (default: <results>/supplement.zip).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a zip that is there.")] = False,
) -> None:
    """Pack records, tables, figures, report and what was run into one zip, as a paper's supplement."""
    from bench.cli.export import supplement, write_zip
    from bench.records.store import ResultStore

    console, path = Console(), out or results / "supplement.zip"
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it, --out names another file")
    with console.status("reading the records") as status:
        files = supplement(list(ResultStore(results).records()), results, names or (), lambda step: status.update(step))
        status.update("packing")
        write_zip(files, path, force=force)
    console.print(f"{path}: {len(files)} files", markup=False, highlight=False, soft_wrap=True)


def contents_of(rows: Sequence[Row], results: Path, names: Sequence[str], folder: str = "") -> Contents:
    """What a report of these runs shows of these suites, or of all that come with the project.

    ``results`` is where tuned settings and trials are looked for, ``folder`` where the commands find their suites.
    """
    from bench.analysis.figures.overviews import FIGURES, overview_figures
    from bench.analysis.report.page import Contents
    from bench.analysis.tables.overviews import MAKERS
    from bench.analysis.tables.tuning_ledger import make_ledger
    from bench.cli.reproduce import again
    from bench.cli.studies import by_figure
    from bench.runs.suite import layouts, suite_names
    from bench.runs.tuned import TunedFolder

    chosen, over = chosen_tables([*names, *MAKERS] if names else ())
    made = again(rows, folder)
    return Contents(
        layouts=chosen,
        overviews=over,
        drawings=overview_figures([*FIGURES], layouts(suite_names())),
        ledger=make_ledger(list(TunedFolder(results).files())),
        studies=by_figure(results),
        commands=[command for each in made for command in each.commands],
        files=[(f"{folder}{each.name}.toml", each.text) for each in made],
    )
