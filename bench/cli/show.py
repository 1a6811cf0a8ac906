"""The command ``show``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from bench.cli.complete import models_and_datasets
from bench.cli.console import print_json
from bench.cli.options import AsJson, DataDir, ResultsDir, Source, open_catalog
from bench.cli.terminal import Console


def show(
    name: Annotated[
        str,
        typer.Argument(
            help="A name, the path of a file such as ./mine.py, or a run's id or its beginning.",
            autocompletion=models_and_datasets,
        ),
    ],
    data_dir: DataDir = None,
    results: ResultsDir = Path("results"),
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's settings with their search space, a data set's card, or a run with its audit and its command."""
    from bench.catalog import registry
    from bench.catalog.raw_files import searched
    from bench.cli.show_record import may_begin_an_id, names_a_record, show_record
    from bench.errors import UnknownNameError

    if names_a_record(name):
        show_record(name, results, source, as_json=as_json)
        return
    catalog, name = open_catalog(data_dir, results), _name_of(name)
    known_model = name in registry.model_names()
    if not known_model and name not in catalog.names():
        if may_begin_an_id(name):
            show_record(name, results, source, as_json=as_json)
            return
        known = [*registry.model_names(), *catalog.names()]
        raise UnknownNameError("model or data set", name, known, *_notes(name), searched(catalog.data_dir))
    if as_json:
        print_json(_model(name) if known_model else {"kind": "data set", **dataclasses.asdict(catalog.card(name))})
        return
    if known_model:
        table = Table("setting", "default", "search space", title=f"{name}: {registry.describe(name)}")
        for field in dataclasses.fields(registry.config_class(name)):
            space = field.metadata.get("tune")
            table.add_row(field.name, repr(field.default), "not tuned" if space is None else str(space))
    else:
        table = Table("fact", "value", title=name)
        for key, value in dataclasses.asdict(catalog.card(name)).items():
            table.add_row(key, escape(str(value)))
    Console().print(table)


def _notes(name: str) -> list[str]:
    """What else a name may have meant, in sentences."""
    from bench.catalog import own_files
    from bench.cli.show_record import LEAST, is_short_beginning
    from bench.runs.suite import suite_names

    notes = own_files.here(name)
    if is_short_beginning(name):
        notes.append(f"of a run's id at least {LEAST} characters, one of them a digit, are wanted")
    if name in suite_names():
        notes.append(f"'{name}' is a suite: 'stbench run --suite {name} --dry-run' shows its plan")
    return notes


def _model(name: str) -> dict[str, object]:
    """A model's settings for another program; a space is null where a setting is not tuned."""
    from bench.catalog import registry

    settings = [
        {"name": field.name, "default": field.default, "search_space": space and str(space)}
        for field in dataclasses.fields(registry.config_class(name))
        for space in [field.metadata.get("tune")]
    ]
    return {"kind": "model", "name": name, "what": registry.describe(name), "settings": settings}


def _name_of(text: str) -> str:
    """The name of what a file of the user's own declares, if the text is its path; else the text.

    Raises:
        ConfigError: If it declares nothing.
    """
    from bench.catalog import own_files
    from bench.catalog.plugins import declared
    from bench.errors import ConfigError

    if not own_files.is_path(text):
        return text
    file = own_files.names_the_file(text)
    own_files.list_also([file])
    for plugin in declared(file):
        return plugin.name
    raise ConfigError(f"{file.path} defines neither Config and Model nor CARD and read, so there is nothing to show")
