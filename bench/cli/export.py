"""The command ``export``: all results in one file to hand on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.complete import suites
from bench.cli.console import print_line, warn_on
from bench.cli.options import DataDir, ResultsDir, check_results, open_results
from bench.cli.terminal import Console
from bench.errors import ConfigError
from bench.plain_text import counted

NO_FOLDER = "--with-data packs the arrays of your own data sets; say with --data-dir DIR where they are"
EDITED = (
    "edited since its last run: {names}; the supplement has these runs and the code that made them. Run again and "
    "export anew if it shall have today's"
)


def export(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Suites, or TOML files of suites; all runs if none is given.", autocompletion=suites),
    ] = None,
    *,
    results: ResultsDir = Path("results"),
    out: Annotated[Path | None, typer.Option("--out", help="Zip to write (default: <results>/supplement.zip).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a zip that is there.")] = False,
    with_data: Annotated[
        bool, typer.Option("--with-data", help="Pack the arrays of data sets of your own, too, not only their cards.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Write a paper's supplement: one zip of records, tables, figures, report and the suites that were run.

    The code of models and data sets of your own is in it, and the cards of these data sets.
    """
    from bench.analysis.own_parts import personal
    from bench.analysis.supplement import check_free, edited_since, supplement, write_zip
    from bench.catalog.data import resolve_data_dir
    from bench.cli.output import letters_told
    from bench.runs.suite import suite_names

    check_results(results)
    console, path = Console(), out or results / "supplement.zip"
    check_free(path, force=force)
    raw = resolve_data_dir(data_dir) if with_data else None
    if with_data and raw is None:
        raise ConfigError(NO_FOLDER)
    with console.status("reading the records") as status, letters_told():
        opened = open_results(results, None, names or ())
        files = supplement(opened, results, names or (), status.update, raw)
        status.update("packing")
        write_zip(files, path, force=force)
    if edited := edited_since(opened, results, files):
        warn_on(Console(stderr=True), EDITED.format(names=", ".join(edited)))
    for name in personal(files, Path.home()):
        warn_on(console, f"{name} names a folder in {Path.home()}; look whether it may be published")
    print_line(f"{path}: {counted(len(files), 'file')}")
    if not names and (own := sorted({record.label.suite for record in opened.records} - {"", *suite_names()})):
        command = shlex.join(["stbench", "export", *(f"{name}.toml" for name in own)])
        print_line(
            f"of suites of your own it has the runs alone; '{command}', with the paths of their files, packs these and "
            "their tables, too"
        )
