"""Files of models and data sets of the user's own, wherever they lie: ``--model ./mine.py`` and ``$STBENCH_PLUGINS``.

The variable lists files and folders, as ``$PATH`` does; ``name=file`` gives a file another name. Processes that are
started inherit it, so all of them know the same names.

A file may import what lies beside it, as a script may. To Python each such folder is a package of its own, whose name
begins with ``PREFIX``, and imports of what lies beside are read as imports from it. So two folders may each have a
``utils.py``, and nothing else that is imported in a process is hidden by a file of the user's.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from bench.errors import ConfigError

VARIABLE: Final = "STBENCH_PLUGINS"
PREFIX: Final = "stbench_plugins_"
LOOKS: Final = "_stbench_looks"  # in a module, how its file looked when it was read
OURS: Final = ("bench", "baselines", "stvfm", "datasets")  # never taken from a folder of the user's
NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class OwnFile:
    """A file of the user's own.

    Attributes:
        name: That its model or data set is to have.
        path: Absolute.
        named: Whether the variable gives it this name.
    """

    name: str
    path: Path
    named: bool = False

    @property
    def root(self) -> Path:
        """The folder from which it imports: its own, or that above the outermost package that it lies in."""
        return root_of(self.path)

    @property
    def module(self) -> str:
        """What it is called within the package of its root."""
        return ".".join(self.path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__")

    @property
    def imported_as(self) -> str:
        return f"{package_of(self.root)}.{self.module}"


def root_of(path: Path) -> Path:
    packages = list(takewhile(lambda folder: (folder / "__init__.py").is_file(), path.parents))
    return packages[-1].parent if packages else path.parent


def package_of(root: Path) -> str:
    return PREFIX + hashlib.sha256(str(root).encode()).hexdigest()[:16]


def is_beside(root: Path, name: str) -> bool:
    """Whether a file below ``root`` that imports the top-level ``name`` means what lies there, not what is installed.

    A folder without ``__init__.py`` counts if Python files lie in it and no package of its name is installed.
    """
    if not name or name in OURS:
        return False
    folder = root / name
    if folder.with_name(f"{name}.py").is_file() or (folder / "__init__.py").is_file():
        return True
    if not any(folder.glob("*.py")):
        return False
    try:
        spec = find_spec(name)
    except ValueError:  # something that was never imported from a file
        return False
    return spec is None or spec.origin is None


def variables() -> dict[str, str]:
    """The variable, if there is one, with absolute paths, for a process that has another current folder."""
    return {VARIABLE: text} if (text := _joined(_entries())) else {}


def own_files() -> list[OwnFile]:
    """All files that the variable lists, itself or by their folders, in its order; some may not be there."""
    files: dict[OwnFile, None] = {}
    for name, path in _entries():
        if path.is_dir():
            listed = sorted(file for file in path.glob("*.py") if not file.name.startswith(("_", ".")))
            files |= dict.fromkeys(OwnFile(file.stem, file) for file in listed)
        elif path.suffix == ".py":
            files[OwnFile(name or path.stem, path, bool(name))] = None
    return list(files)


def useless_entries() -> list[str]:
    """Sentences about what the variable lists and is neither a folder nor could be a Python file."""
    return [
        f"${VARIABLE} lists {path}, which is neither a folder nor a Python file; correct it"
        for _, path in _entries()
        if not path.is_dir() and path.suffix != ".py"
    ]


def here(name: str) -> list[str]:
    """What a name that nothing has may have meant: a sentence, if a file in the current folder is called so."""
    is_here = name in {path.stem for path in Path().glob("*.py")}
    return [f"a file of your own is named by its path: ./{name}.py"] if is_here else []


def typed(path: Path) -> str:
    """What a person may type for the model or data set in a file of the user's own: its path, short below here."""
    folder = Path.cwd()
    text = f".{os.sep}{path.relative_to(folder)}" if path.is_relative_to(folder) else str(path)
    names = [file.name for file in own_files() if file.path == path and file.named]
    return f"{names[0]}={text}" if names else text


def is_path(text: str) -> bool:
    """Whether the text for a model or data set is the path of a file, not a name."""
    return text.endswith(".py") or "/" in text or os.sep in text or text in (os.curdir, os.pardir)


def below(folder: Path, text: str) -> str:
    """What ``names_the_file`` wants, for a path that is given from a folder on; a name stays as it is."""
    name, equals, rest = text.rpartition("=")
    return f"{name}{equals}{folder / Path(rest).expanduser()}" if is_path(text) else text


def names_the_file(text: str) -> OwnFile:
    """The file that a person names, as ``./mine.py`` or ``other=./mine.py``.

    Raises:
        ConfigError: If it is no Python file, or its name or path cannot be used.
    """
    name, path = _split(text)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        hint = f"; list a folder in ${VARIABLE}, and name its models" if path.is_dir() else ""
        raise ConfigError(f"{path} {what}; give the path of a Python file with a Config and a Model{hint}")
    if path.suffix != ".py":
        raise ConfigError(f"{path} is no Python file; its name must end with .py")
    if os.pathsep in str(path):
        raise ConfigError(f"{path} has '{os.pathsep}' in its path, which separates paths; put the file elsewhere")
    return OwnFile(name or path.stem, path, bool(name))


@contextmanager
def listed(files: Iterable[OwnFile]) -> Iterator[None]:
    """While the variable lists these files, too."""
    before = os.environ.get(VARIABLE)
    list_also(files)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = before


def list_also(files: Iterable[OwnFile]) -> None:
    """Let this process, and those that it starts, know these files."""
    new = [file for file in dict.fromkeys(files) if file not in own_files()]
    if new:
        os.environ[VARIABLE] = _joined([*_entries(), *((file.name if file.named else "", file.path) for file in new)])


def importable(root: Path | None = None) -> None:
    """Let this process import the packages of the folders in which the user's files lie.

    What was imported from ``root`` is forgotten if a file of it was edited since, as happens beside a notebook.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    package = package_of(root) if root else ""
    modules = {name: module for name, module in sys.modules.items() if f"{name}.".startswith(f"{package}.")}
    if package and any(getattr(module, LOOKS, None) != _looks(module) for module in modules.values()):
        for name in modules:
            del sys.modules[name]


def _looks(module: ModuleType) -> tuple[int, int] | None:
    """How a module's file looks now; None of a folder's, and of one that is not there."""
    file = getattr(module, "__file__", None)
    try:
        about = Path(file).stat() if file else None
    except OSError:
        return None
    return None if about is None else (about.st_mtime_ns, about.st_size)


def _entries() -> list[tuple[str, Path]]:
    """A name, which may be empty, and an absolute path."""
    return [_split(text) for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text.strip()]


def _split(text: str) -> tuple[str, Path]:
    name, equals, rest = text.partition("=")
    if not (equals and NAME.fullmatch(name)) or Path(text).exists():
        name, rest = "", text
    return name, Path(os.path.abspath(Path(rest).expanduser()))  # noqa: PTH100 - a link stays as it is named


def _joined(entries: Iterable[tuple[str, Path]]) -> str:
    return os.pathsep.join(f"{name}={path}" if name else str(path) for name, path in entries)


class _Finder(MetaPathFinder):
    """Finds the package of each folder, and what lies in it."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        if not fullname.startswith(PREFIX):
            return None
        if path is not None:
            return FileFinder(next(iter(path)), (_Loader, [".py"])).find_spec(fullname)
        for root in {file.root for file in own_files()}:
            if package_of(root) == fullname:
                spec = ModuleSpec(fullname, None, is_package=True)
                spec.submodule_search_locations = [str(root)]
                return spec
        return None


class _Loader(SourceFileLoader):
    """Reads imports of what lies beside as imports from the package of the folder; keeps no compiled file."""

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, LOOKS, _looks(module))
        super().exec_module(module)

    def get_code(self, fullname: str) -> CodeType:
        package = fullname.partition(".")[0]
        root = Path(next(iter(sys.modules[package].__path__)))
        tree = ast.parse(self.get_data(self.path), self.path)
        tree = ast.fix_missing_locations(_Beside(root, package).visit(tree))
        return compile(tree, self.path, "exec", dont_inherit=True)


class _Beside(ast.NodeTransformer):
    """``import utils`` becomes ``from <package> import utils``, where ``utils`` lies beside."""

    def __init__(self, root: Path, package: str) -> None:
        self._root, self._package = root, package

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.level == 0 and node.module and self._beside(node.module):
            node.module = f"{self._package}.{node.module}"
        return node

    def visit_Import(self, node: ast.Import) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for alias in node.names:
            statements = self._imports(alias) if self._beside(alias.name) else [ast.Import([alias])]
            made += [ast.copy_location(statement, node) for statement in statements]
        return made

    def _imports(self, alias: ast.alias) -> list[ast.stmt]:
        whole, first = f"{self._package}.{alias.name}", alias.name.partition(".")[0]
        if alias.asname:
            return [ast.Import([ast.alias(whole, alias.asname)])]
        return [ast.Import([ast.alias(whole)]), ast.Import([ast.alias(f"{self._package}.{first}", first)])]

    def _beside(self, module: str) -> bool:
        return is_beside(self._root, module.partition(".")[0])
