"""Plug-ins as files: what a file registers, by its syntax alone."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from bench.catalog.own_files import NAME, VARIABLE, OwnFile
from bench.errors import ConfigError

Group = Literal["model", "dataset"]
NOUNS: Final[Mapping[Group, str]] = {"model": "model", "dataset": "data set"}
WANTED: Final[Mapping[Group, tuple[str, str]]] = {"model": ("Config", "Model"), "dataset": ("CARD", "read")}


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Where one registered name lives.

    Attributes:
        module: Import name.
        source: The file that declares ``Config`` and ``Model``, or ``CARD`` and ``read``.
        preset: Settings of a model in place of its defaults, where its file registers several names.
        root: Of a file of the user's own, the folder from which it imports what lies beside; else None.
        problem: Why it cannot be used, in a sentence; empty if nothing is known against it.
    """

    group: Group
    name: str
    module: str
    source: Path
    preset: Mapping[str, Any] = field(default_factory=dict, hash=False)
    root: Path | None = None
    problem: str = ""


def check_name(group: Group, value: object) -> None:
    """Refuse what is neither a name nor the path of a file, and say where such a thing goes.

    Raises:
        ConfigError: If it is something else.
    """
    if isinstance(value, str | Path):
        return
    card_name = getattr(getattr(value, "card", None), "name", None)
    if group == "model" and callable(value):
        remedy = "give a class or a fitted map to bench.evaluate, or here the path of its file, such as './mine.py'"
    elif group == "dataset" and isinstance(card_name, str):
        remedy = f"write its name, '{card_name}'"
    elif group == "dataset":
        remedy = "bench.import_data makes a data set of an array or a frame, which then has a name"
    else:
        remedy = "bench.list_models() has the names"
    what = f"'{value.__name__}'" if inspect.isclass(value) else f"of the type {type(value).__name__}"
    raise ConfigError(f"the {NOUNS[group]} is {what}, wanted a name or the path of a file; {remedy}")


def declared(file: OwnFile) -> list[Plugin]:
    """The plug-ins that a file of the user's own declares; of one that cannot be read what it is by its text."""
    plugin = Plugin(
        group="model", name=file.name, module=file.imported_as, source=file.path, root=file.root, problem=_doubt(file)
    )
    try:
        if plugin.problem:
            return [plugin, replace(plugin, group="dataset")]
        bound = _bound(parsed(file.path))
        models = presets(plugin) if "Model" in bound else []
    except ConfigError as error:
        is_data = file.path.is_file() and "CARD" in file.path.read_text(encoding="utf-8", errors="replace")
        return [replace(plugin, group="dataset" if is_data else "model", problem=str(error))]
    return [*models, *([replace(plugin, group="dataset")] if "CARD" in bound else [])]


def _doubt(file: OwnFile) -> str:
    """What is wrong with a file of the user's own before it is read; empty if nothing."""
    if not file.path.is_file():
        return f"${VARIABLE} lists {file.path}, which is not there; correct it"
    for name in (file.name, file.path.stem):
        if not NAME.fullmatch(name):
            return f"the name of {file.path} cannot be that of a model or data set; use letters, digits and _ alone"
    return ""


def _bound(tree: ast.Module) -> set[str]:
    """The names that a file binds at its top level."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        else:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def presets(plugin: Plugin) -> list[Plugin]:
    """The plug-ins of a model's file: one, or as many as its ``PRESETS`` name, each with settings of its own."""
    if "PRESETS" not in plugin.source.read_text(encoding="utf-8", errors="replace"):
        return [plugin]
    for node in parsed(plugin.source).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "PRESETS" and node.value:
            presets: dict[str, dict[str, Any]] = ast.literal_eval(node.value)
            return [replace(plugin, name=name, preset=values) for name, values in presets.items()]
    return [plugin]


def parsed(source: Path) -> ast.Module:
    """The syntax of a file as it is now; not to be changed."""
    try:
        return _tree_of(source, looks(source))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{source} cannot be read as Python: {error}") from error


def looks(source: Path) -> tuple[int, int]:
    try:
        about = source.stat()
    except OSError as error:
        raise ConfigError(f"{source} cannot be read as Python: {error}") from error
    return about.st_mtime_ns, about.st_size


@cache
def _tree_of(source: Path, _looks: tuple[int, int]) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), filename=str(source))
