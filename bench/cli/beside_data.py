"""What lists of data sets leave out: those that are not here, and folders that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.cli.terminal import Console


def print_absent(console: Console, catalog: Catalog) -> None:
    """Name the data sets of which there are no files; what cannot be read is there."""

    def here(name: str) -> bool:
        try:
            return catalog.is_never_real(name) or catalog.has_real(name)
        except BenchError:
            return True

    if absent := [name for name in catalog.names() if not here(name)]:
        console.print(escape(f"not here: {', '.join(absent)}"), highlight=False, soft_wrap=True)


def print_strangers(console: Console, catalog: Catalog) -> None:
    """Name the folders in the data folder that are no data set."""
    from bench.catalog.raw_files import strangers

    if others := strangers(catalog.data_dir, catalog.names()):
        text = f"no data sets: {', '.join(others)} in {catalog.data_dir}; 'stbench data import' makes one of a file"
        console.print(escape(text), highlight=False, soft_wrap=True)
