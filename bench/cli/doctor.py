"""The command ``doctor``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from bench.cli.options import DataDir, ResultsDir, WeightsDir, open_catalog, use_weights_dir
from bench.cli.terminal import Console
from bench.errors import BenchError


def doctor(data_dir: DataDir = None, results: ResultsDir = Path("results"), weights_dir: WeightsDir = None) -> None:
    """Show device, libraries, free disk, and the data sets and pre-trained weights on this machine."""
    from bench.catalog.pretrained import PARTS, names_here
    from bench.context import RunContext, resolve_device
    from bench.runs.execution import libraries
    from bench.weights import weights_folder

    use_weights_dir(weights_dir)
    here = [name for model in PARTS for name in names_here(model)]
    catalog = open_catalog(data_dir, results)
    table = Table("what", "found", title="doctor")
    context = RunContext(seed=0, device=resolve_device("auto"))
    for key, value in (context.environment() | libraries()).items():
        table.add_row(key, str(value))
    table.add_row("cores", str(os.cpu_count()))
    table.add_row("free disk", f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB")
    table.add_row("data folder", escape(str(catalog.data_dir or "none")))
    for name in catalog.names():
        try:
            if catalog.has_real(name):
                table.add_row(name, "real")
        except BenchError as error:
            table.add_row(name, f"[red]{escape(str(error))}[/red]")
    table.add_row("other data sets", "synthetic, marked wherever their numbers appear")
    table.add_row("weights folder", escape(str(weights_folder() or "none")))
    table.add_row("pre-trained weights", ", ".join(dict.fromkeys(here)) or "none")
    Console().print(table)
