"""What the shell completes when Tab is pressed: names."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import typer

from bench.errors import BenchError


def models(incomplete: str) -> list[str]:
    """Names of models that begin so."""
    from bench.catalog import registry

    return _beginning(incomplete, registry.model_names())


def datasets(context: typer.Context, incomplete: str) -> list[str]:
    """Names of data sets that begin so, also of those imported into the data folder that is named before, if one is."""
    from bench.catalog import registry
    from bench.catalog.data import Catalog, resolve_data_dir

    try:
        names = Catalog(data_dir=resolve_data_dir(context.params.get("data_dir")), cache=Path()).names()
    except BenchError:
        names = registry.dataset_names()
    return _beginning(incomplete, names)


def models_and_datasets(context: typer.Context, incomplete: str) -> list[str]:
    """Names of models and data sets that begin so."""
    return sorted({*models(incomplete), *datasets(context, incomplete)})


def suites(incomplete: str) -> list[str]:
    """Names of suites that begin so."""
    from bench.runs.suite import suite_names

    return _beginning(incomplete, suite_names())


def variants(context: typer.Context, incomplete: str) -> list[str]:
    """Variants that begin so, of the suite that is named before, else of all.

    Bash takes what it is given as it is, so spaces are escaped for it: by quotes, or behind what was typed without them
    by backslashes, since typer leaves out what does not begin with that.
    """
    from bench.runs.suite import load_suite

    wanted = context.params.get("suite")
    try:
        names = [method.name for name in ([wanted] if wanted else suites("")) for method in load_suite(name).methods]
    except BenchError:  # a command that names such a suite says what is wrong with it
        return []
    matching = _beginning(incomplete, names)
    if not _unquoted_in_bash():
        return matching
    return [re.sub(r"([^\w,./-])", r"\\\1", name) if incomplete else shlex.quote(name) for name in matching]


def _unquoted_in_bash() -> bool:
    """Whether bash asks about a word that begins with no quote; other shells quote what they are given themselves."""
    words = os.environ.get("COMP_WORDS", "").split("\n")  # as typer's function for bash joins them
    place = int(os.environ.get("COMP_CWORD", "0"))
    return "COMP_WORDS" in os.environ and not (words[place : place + 1] or [""])[0].startswith(("'", '"'))


def tasks(incomplete: str) -> list[str]:
    """Names of tasks that begin so."""
    from bench.settings import TASKS

    return _beginning(incomplete, TASKS)


def profiles(incomplete: str) -> list[str]:
    """Names of profiles that begin so."""
    from bench.runs.profiles import PROFILES

    return _beginning(incomplete, PROFILES)


def pretrained(incomplete: str) -> list[str]:
    """Names of pre-trained models that begin so."""
    from bench.cli.weights import pretrained

    return _beginning(incomplete, pretrained())


def tables(incomplete: str) -> list[str]:
    """Names of tables that begin so, and of suites, which have one each."""
    from bench.analysis.results import artefacts

    return [*suites(incomplete), *_beginning(incomplete, artefacts("tables"))]


def figures(incomplete: str) -> list[str]:
    """Names of figures that begin so, and of suites, which may have some each."""
    from bench.analysis.results import artefacts

    return [*suites(incomplete), *_beginning(incomplete, artefacts("figures"))]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
