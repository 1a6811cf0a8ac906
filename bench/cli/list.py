"""The command ``list``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from bench.cli.console import print_json
from bench.cli.options import AsJson
from bench.cli.terminal import Console
from bench.cli.weights import pretrained

NOWHERE = "none"  # the city of a control
UNUSABLE = "cannot be used: {problem}"


def list_names(
    what: Annotated[
        Literal["models", "datasets", "suites", "backbones"] | None, typer.Argument(help="Only these.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is registered: models, data sets, suites, pre-trained backbones."""
    from bench.catalog import own_files, registry
    from bench.runs import suite

    if as_json:
        _print_json(what)
        return
    console = Console()
    if what in (None, "models"):
        _print_pairs(console, "models", ((name, _model(name)) for name in registry.model_names()))
    if what in (None, "datasets"):
        _print_pairs(console, "data sets", ((name, _dataset(name)) for name in registry.dataset_names()))
    if what in (None, "suites"):
        _print_pairs(console, "suites", ((name, suite.load_suite(name).title) for name in suite.suite_names()))
    if what in (None, "backbones"):
        facts = ((name, f"model.{row.setting}, {row.size}, {row.licence}") for name, row in pretrained().items())
        _print_pairs(console, "backbones", facts)
    for sentence in own_files.useless_entries():
        console.print(sentence, style="yellow", markup=False, highlight=False)


def _print_json(what: str | None) -> None:
    """All kinds or one; what cannot be used has a problem, else null."""
    from bench.catalog import registry
    from bench.runs import suite

    kinds: dict[str, Callable[[], list[dict[str, object]]]] = {
        "models": lambda: [_entry("model", name, _model) for name in registry.model_names()],
        "datasets": lambda: [_entry("dataset", name, _dataset) for name in registry.dataset_names()],
        "suites": lambda: [{"name": name, "what": suite.load_suite(name).title} for name in suite.suite_names()],
        "backbones": lambda: [
            {"name": name, "setting": f"model.{row.setting}", "size": row.size, "licence": row.licence}
            for name, row in pretrained().items()
        ],
    }
    print_json({kind: entries() for kind, entries in kinds.items() if what in (None, kind)})


def _entry(group: Literal["model", "dataset"], name: str, what: Callable[[str], str]) -> dict[str, object]:
    from bench.catalog import registry

    problem = registry.problem_of(group, name)
    return {"name": name, "what": None if problem else what(name), "problem": problem or None}


def _model(name: str) -> str:
    """What a model is, or why it cannot be used."""
    from bench.catalog import registry

    problem = registry.problem_of("model", name)
    if problem:
        return UNUSABLE.format(problem=problem)
    own = [f"{setting}={value}" for setting, value in registry.find("model", name).preset.items()]
    return registry.describe(name) + (f" ({', '.join(own)})" if own else "")


def _dataset(name: str) -> str:
    """What a data set is, or why it cannot be used."""
    from bench.catalog import registry

    if problem := registry.problem_of("dataset", name):
        return UNUSABLE.format(problem=problem)
    card = registry.load("dataset", name).CARD
    return card.title if card.city == NOWHERE else f"{card.title}, {card.city}"


def _print_pairs(console: Console, title: str, pairs: Iterable[tuple[str, str]]) -> None:
    table = Table("name", "what", title=title, title_justify="left")
    for name, text in pairs:
        table.add_row(name, escape(text))
    console.print(table)
