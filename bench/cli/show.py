"""The command ``show``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.cli.options import DataDir, ResultsDir, open_catalog


def show(name: str, data_dir: DataDir = None, results: ResultsDir = Path("results")) -> None:
    """Show a model's settings with their search space, or a data set's card."""
    from bench.catalog import registry
    from bench.errors import UnknownNameError

    catalog = open_catalog(data_dir, results)
    if name in registry.model_names():
        table = Table("setting", "default", "search space", title=f"{name}: {registry.describe(name)}")
        for field in dataclasses.fields(registry.config_class(name)):
            space = field.metadata.get("tune")
            table.add_row(field.name, repr(field.default), "not tuned" if space is None else str(space))
    elif name in catalog.names():
        table = Table("fact", "value", title=name)
        for key, value in dataclasses.asdict(catalog.card(name)).items():
            table.add_row(key, escape(str(value)))
    else:
        raise UnknownNameError("model or data set", name, [*registry.model_names(), *catalog.names()])
    Console().print(table)
