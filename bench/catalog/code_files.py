"""Files of ours as the digest of code sees them: each by its syntax and by the meaning of the names that it imports.

Neither its own name or path counts, nor an alias, nor where a module of ours lies.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from bench.catalog.own_files import is_beside
from bench.catalog.syntax import names_in, syntax_of
from bench.errors import ConfigError

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


def path_of(module: str, homes: Homes) -> Path | None:
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
    return {name: path for name in names if (path := path_of(name, homes)) is not None}


def with_imports(roots: Iterable[tuple[str, Path]], homes: Homes) -> dict[Path, File]:
    """These modules, the packages around them, and every file of ours that they import.

    Raises:
        ConfigError: If a file cannot be read as Python.
    """
    files: dict[Path, File] = {}
    waiting = list(roots)
    for module, _ in roots:
        waiting.extend(_with_packages(module, homes).items())
    while waiting:
        module, path = waiting.pop()
        if path not in files:
            files[path] = file_at(path, module, homes)
            waiting.extend(files[path].reached)
    return files


def lines_of(files: Mapping[Path, File], equal: Mapping[str, str]) -> set[str]:
    """A line for each file: its digest, and the meaning of the names in it."""
    digests = {path: equal.get(file.digest, file.digest) for path, file in files.items()}

    def edge(name: str, target: Target) -> str:
        return f"{name}={target.name if target.path is None else digests[target.path]}:{target.symbol}"

    return {
        " ".join([digests[path], *sorted(edge(name, target) for name, target in file.edges)])
        for path, file in files.items()
        if not file.empty
    }


def file_at(path: Path, module: str, homes: Homes) -> File:
    """The file of a module, which is read once for as long as it looks the same.

    Raises:
        ConfigError: If it cannot be read as Python.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read as Python: {error}") from error
    return _read(path, module, homes, (about.st_mtime_ns, about.st_size))


@lru_cache(maxsize=1)
def read_anew(_paths: tuple[str, ...]) -> None:
    """Read files again once there are others than before: these are what an import may mean."""
    _read.cache_clear()


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
    if (path := path_of(whole, homes)) is not None:
        return Target(whole, path)
    if symbol and (path := path_of(module, homes)) is not None:
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
        path = path_of(name, self.homes)
        return None if path is None else Target(name, path)


def _foreign(target: Target) -> tuple[str, str, str]:
    """Package, dot and rest; a module of ours that does not count goes by its own name."""
    uncounted = next((name for name in UNCOUNTED[1:] if f"{target.name}.".startswith(f"{name}.")), None)
    return (target.name.removeprefix(f"{uncounted.rpartition('.')[0]}.") if uncounted else target.name).partition(".")
