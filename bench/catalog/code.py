"""The digest of the code behind a run, which survives a refactoring.

It covers all files of ours that can move a number: those that every run needs (``ROOTS``), the model's and the
reader's, and whatever these import, in any form. Each file counts by its syntax and by the meaning of the names it
imports, never by its own name or path. What is imported by a text made at run time is not seen, nor is a data file.

``python -m bench.catalog.code PATH ...`` prints the digest of each file, as ``equal_code.toml`` wants it.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Final

from bench.catalog import registry
from bench.catalog.equal_code import first_of_equals
from bench.catalog.own_files import OURS, is_beside
from bench.catalog.plugins import Plugin
from bench.catalog.syntax import names_in, syntax_of
from bench.errors import BenchError, ConfigError

ROOTS: Final = ("bench.context", "bench.task", "bench.train", "bench.runs.evaluator")
SCORING: Final = ("bench.task", "bench.scoring")
UNCOUNTED: Final = (  # the public interface, lazy; messages; and how files come here, which are known by digests
    "bench", "bench.errors", "bench.runs.sentences", "bench.archives", "bench.connection", "bench.disguise",
    "bench.download", "bench.hub", "bench.patience", "bench.plain_files", "bench.plain_text",
)  # fmt: skip
LOOKED_UP: Final = frozenset(
    {"Config", "Model", "CARD", "read", "make", "VERSION", "ROLE", "DAYS_BACK", "STOCHASTIC"}
)  # by name, in a plug-in's file

Homes = tuple[tuple[str, Path], ...]
"""The folder in which each top-level package of ours lies; by "" that of whatever lies beside a user's own file."""


@dataclass(frozen=True)
class Target:
    """The meaning of an imported name: a file of ours, a symbol in one, or something foreign.

    Attributes:
        name: Dotted name of the module, with the symbol where it is foreign.
        path: None if it is foreign.
    """

    name: str
    path: Path | None = None
    symbol: str = ""


@dataclass(frozen=True)
class File:
    """One file of ours.

    Attributes:
        digest: Of its syntax alone.
        empty: Whether no syntax and no import is left of it.
        edges: Local names and their meaning, where that is not in the syntax.
        reached: Module name and path of every file of ours that is imported with it.
    """

    digest: str
    empty: bool
    edges: tuple[tuple[str, Target], ...]
    reached: tuple[tuple[str, Path], ...]


def code_of(dataset: str, model: str) -> str:
    """Digest of the code behind one data set and model, 12 hexadecimal digits.

    A data set imported by the user has no file of its own; its data digest is part of the spec.

    Raises:
        ConfigError: If a file cannot be read, or ``equal_code.toml`` is not valid.
        UnknownNameError: If there is no such model.
    """
    return codes_of([(dataset, model)])[dataset, model]


def codes_of(pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """``code_of`` of many data sets and models, for which each plug-in is looked at once."""
    common, known, lines_of = _module_lines(ROOTS), registry.dataset_names(), cache(_plugin_lines)

    def code(dataset: str, model: str) -> str:
        readers = [registry.find("dataset", dataset)] if dataset in known else []
        return _digest([common, *map(lines_of, [*readers, registry.find("model", model)])])[:12]

    return {(dataset, model): code(dataset, model) for dataset, model in pairs}


def code_of_scoring(dataset: str) -> str:
    """Digest of the code that scores forecasts which were made elsewhere, with the data set's reader; 12 digits.

    Raises:
        ConfigError: If a file cannot be read, or ``equal_code.toml`` is not valid.
    """
    reader = [registry.find("dataset", dataset)] if dataset in registry.dataset_names() else []
    return code_digest(SCORING, reader)[:12]


def code_digest(modules: Iterable[str], plugins: Iterable[Plugin] = ()) -> str:
    """Digest of these modules of ours and of these plug-ins, with all files of ours that they import.

    Raises:
        ConfigError: If a file cannot be read, or ``equal_code.toml`` is not valid.
    """
    return _digest([_module_lines(modules), *map(_plugin_lines, plugins)])


def _digest(lines: Iterable[Set[str]]) -> str:
    return hashlib.sha256("\n".join(sorted(set().union(*lines))).encode()).hexdigest()


def _module_lines(modules: Iterable[str]) -> Set[str]:
    homes = _our_homes()
    return _lines(_closure([(name, _root(name, homes)) for name in modules], homes), _equal())


def _plugin_lines(plugin: Plugin) -> Set[str]:
    files = _files_of(plugin)
    digest, equal = files[plugin.source].digest, _equal()
    return {f"{plugin.group} {equal.get(digest, digest)}", *_lines(files, equal)}


def _equal() -> Mapping[str, str]:
    return first_of_equals(registry.ROOT / "bench" / "catalog" / "equal_code.toml")


def files_behind(model: str) -> list[Path]:
    """The files of ours and of a model's package that its file imports, with itself.

    Raises:
        ConfigError: If a file cannot be read.
        UnknownNameError: If there is no such model.
    """
    return list(_files_of(registry.find("model", model)))


def own_files_behind(plugin: Plugin) -> list[Path]:
    """The files of a plug-in's own package, or of a user's own file and what it imports beside it; none of ours.

    Raises:
        ConfigError: If a file cannot be read.
    """
    ours = [registry.ROOT / name for name in OURS]
    return [path for path in _files_of(plugin) if not any(path.is_relative_to(folder) for folder in ours)]


def _files_of(plugin: Plugin) -> dict[Path, File]:
    """A plug-in's file and what it imports of ours and of its own."""
    homes = _our_homes()
    if plugin.root is None:
        return _closure([(plugin.module, plugin.source)], _with_home(homes, plugin.module, plugin.source))
    module = plugin.module.partition(".")[2]  # as it is called within the package of its folder
    return _closure([(module, plugin.source)], (*homes, ("", plugin.root)))


def file_digest(path: Path) -> str:
    """Digest of the syntax of one file, 16 hexadecimal digits.

    Raises:
        ConfigError: If it cannot be read as Python.
    """
    path = path.resolve()
    packages = takewhile(lambda folder: (folder / "__init__.py").is_file(), path.parents)
    parts = [folder.name for folder in packages][::-1]
    module = ".".join([*parts, *([] if path.name == "__init__.py" else [path.stem])])
    return _file(path, module, _with_home(_our_homes(), module, path)).digest


def _our_homes() -> Homes:
    return tuple((name, registry.ROOT) for name in OURS)


def _with_home(homes: Homes, module: str, source: Path) -> Homes:
    """These and the folder of a plug-in's own top-level package."""
    parts = module.split(".")
    return tuple({**dict(homes), parts[0]: source.parents[len(parts) - (source.name != "__init__.py")]}.items())


def _root(module: str, homes: Homes) -> Path:
    path = _path(module, homes)
    if path is None:
        raise ConfigError(f"the code of runs has no digest: there is no module '{module}' below {registry.ROOT}")
    return path


def _path(module: str, homes: Homes) -> Path | None:
    """The file of a module that is ours and counts."""
    known, first = dict(homes), module.partition(".")[0]
    folder = known.get(first)
    if folder is None and "" in known and is_beside(known[""], first):
        folder = known[""]
    if folder is None or not module or module in UNCOUNTED:
        return None
    stem = folder.joinpath(*module.split("."))
    return next((path for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py") if path.is_file()), None)


def _with_packages(module: str, homes: Homes) -> dict[str, Path]:
    """The files that are run when a module is imported: its own and those of the packages around it."""
    parts = module.split(".")
    names = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return {name: path for name in names if (path := _path(name, homes)) is not None}


def _closure(roots: Iterable[tuple[str, Path]], homes: Homes) -> dict[Path, File]:
    files: dict[Path, File] = {}
    waiting = list(roots)
    for module, _ in roots:
        waiting.extend(_with_packages(module, homes).items())
    while waiting:
        module, path = waiting.pop()
        if path not in files:
            files[path] = _file(path, module, homes)
            waiting.extend(files[path].reached)
    return files


def _lines(files: Mapping[Path, File], equal: Mapping[str, str]) -> set[str]:
    """A line for each file: its digest, and the meaning of the names in it."""
    digests = {path: equal.get(file.digest, file.digest) for path, file in files.items()}

    def edge(name: str, target: Target) -> str:
        return f"{name}={target.name if target.path is None else digests[target.path]}:{target.symbol}"

    return {
        " ".join([digests[path], *sorted(edge(name, target) for name, target in file.edges)])
        for path, file in files.items()
        if not file.empty
    }


def _file(path: Path, module: str, homes: Homes) -> File:
    try:
        about = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read as Python: {error}") from error
    return _read(path, module, homes, (about.st_mtime_ns, about.st_size))


@cache
def _read(path: Path, module: str, homes: Homes, _looks: tuple[int, int]) -> File:
    tree, imports, dropped = syntax_of(path, module)
    names = _Names(_targets(imports, homes), homes)
    edges = names.edges(names_in(tree), dropped)
    text = ast.unparse(names.visit(tree))
    edges += [(placeholder, target) for target, placeholder in names.used.items()]
    reached = {target.name: target.path for _, target in edges if target.path is not None}
    for _, imported, symbol in imports:
        reached |= _with_packages(f"{imported}.{symbol}" if symbol else imported, homes)
    return File(
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        empty=not text and not edges,
        edges=tuple(edges),
        reached=tuple(reached.items()),
    )


def _targets(imports: Iterable[tuple[str, str, str]], homes: Homes) -> dict[str, tuple[Target, ...]]:
    """The meaning of each name; several where it is imported twice from different modules, in their order."""
    by_name: dict[str, list[Target]] = {}
    for name, module, symbol in imports:
        if name:
            by_name.setdefault(name, []).append(_target(module, symbol, homes))
    return {name: tuple(targets if len(set(targets)) > 1 else targets[:1]) for name, targets in by_name.items()}


def _target(module: str, symbol: str, homes: Homes) -> Target:
    whole = f"{module}.{symbol}" if symbol else module
    if (path := _path(whole, homes)) is not None:
        return Target(whole, path)
    if symbol and (path := _path(module, homes)) is not None:
        return Target(module, path, symbol)
    return Target(whole)


@dataclass
class _Names(ast.NodeTransformer):
    """Writes imported names so that neither an alias nor the path of a module of ours shows.

    A module of ours becomes ``<0>``, ``<1>`` and so on, in order of first use, and what is foreign its full name. A
    symbol from a file of ours keeps its local name, which the edges explain.
    """

    targets: Mapping[str, tuple[Target, ...]]
    homes: Homes
    used: dict[Target, str] = field(default_factory=dict)

    def edges(self, written: set[str], dropped: set[str]) -> list[tuple[str, Target]]:
        """Names that the syntax does not explain, but for those that were only needed by what is left out."""
        unneeded = dropped - written - LOOKED_UP
        edges = []
        for name, targets in self.targets.items():
            if name not in unneeded and not (name in written and self._is_written(targets)):
                label = "" if self._is_written(targets) and targets[0].path else name
                edges += [(f"{label}#{number}", target) for number, target in enumerate(targets)]
        return edges

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """``package.module`` is a module where the package is imported."""
        target = self._module(node)
        return self._written(target) if target else self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        targets = self.targets.get(node.id, ())
        return self._written(*targets) if self._is_written(targets) else node

    def _is_written(self, targets: tuple[Target, ...]) -> bool:
        """Whether the name gives way to its meaning."""
        foreign = all(target.path is None for target in targets)
        return bool(targets) and (foreign or (len(targets) == 1 and not targets[0].symbol))

    def _written(self, *targets: Target) -> ast.Name:
        if targets[0].path is None:
            names = ((package, dot + rest) for package, dot, rest in (_foreign(target) for target in targets))
            return ast.Name("|".join(f"<{package}>{rest}" for package, rest in names))
        return ast.Name(self.used.setdefault(targets[0], f"<{len(self.used)}>"))

    def _module(self, node: ast.expr) -> Target | None:
        """The module of ours that a chain of names means."""
        if isinstance(node, ast.Name):
            targets = self.targets.get(node.id, ())
            return targets[0] if len(targets) == 1 and not targets[0].symbol else None
        outer = self._module(node.value) if isinstance(node, ast.Attribute) else None
        if outer is None or not isinstance(node, ast.Attribute):
            return None
        name = f"{outer.name}.{node.attr}"
        path = _path(name, self.homes)
        return None if path is None else Target(name, path)


def _foreign(target: Target) -> tuple[str, str, str]:
    """Package, dot and rest; a module of ours that does not count goes by its own name."""
    uncounted = next((name for name in UNCOUNTED[1:] if f"{target.name}.".startswith(f"{name}.")), None)
    return (target.name.removeprefix(f"{uncounted.rpartition('.')[0]}.") if uncounted else target.name).partition(".")


def main(paths: Iterable[str]) -> None:
    """Print the digest of each file."""
    try:
        for path in paths:
            print(f"{file_digest(Path(path))}  {path}")
    except BenchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
