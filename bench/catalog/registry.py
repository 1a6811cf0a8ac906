"""Models and data sets by name: a file in ``baselines/``, ``stvfm/`` or ``datasets/``, or an entry point.

Listing names reads folders and package metadata only. A plug-in's module is imported when it is used, and its
``Config`` can be read without importing it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_type_hints

from bench.errors import BenchError, ConfigError, UnknownNameError

ROOT = Path(__file__).resolve().parents[2]
Kind = Literal["model", "dataset"]
READER_FILES = ("_io.py", "_formats.py", "_unist.py")
CONFIG_MODULES = ("__future__", "dataclasses", "typing", "bench.config")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Where one registered name lives.

    Attributes:
        module: Import name.
        files: Source files whose code can change the numbers.
    """

    kind: Kind
    name: str
    module: str
    files: tuple[Path, ...]

    @property
    def source(self) -> Path:
        """The file that declares ``Config`` and ``Model``, or ``CARD`` and ``read``."""
        return self.files[0]


def model_names() -> list[str]:
    """Registered models, sorted."""
    return sorted(_plugins("model"))


def dataset_names() -> list[str]:
    """Registered data sets, sorted; a user's imported arrays are not among them (see ``bench.catalog.data``)."""
    return sorted(_plugins("dataset"))


def find(kind: Kind, name: str) -> Plugin:
    """The plug-in of this name.

    Raises:
        UnknownNameError: With the nearest known name.
    """
    plugins = _plugins(kind)
    if name not in plugins:
        raise UnknownNameError("model" if kind == "model" else "data set", name, plugins)
    return plugins[name]


def load(kind: Kind, name: str) -> ModuleType:
    """Import the plug-in's module.

    Raises:
        ConfigError: If the import fails or the module lacks what a plug-in must offer.
    """
    plugin = find(kind, name)
    try:
        module = importlib.import_module(plugin.module)
    except BenchError:
        raise
    except Exception as error:
        raise ConfigError(f"{kind} '{name}' cannot be imported from {plugin.source}: {error}") from error
    wanted = ("Config", "Model") if kind == "model" else ("CARD", "read")
    missing = [attribute for attribute in wanted if not hasattr(module, attribute)]
    if missing:
        raise ConfigError(f"{plugin.source} defines no {' and no '.join(missing)}; a {kind} file needs both {wanted}")
    if kind == "dataset" and module.CARD.name != name:
        raise ConfigError(
            f"{plugin.source} is registered as '{name}', but its card says '{module.CARD.name}': agree on one"
        )
    return module


@cache
def config_class(model: str) -> type[Any]:
    """The model's ``Config`` dataclass, read from its class statement alone, so without importing torch.

    Raises:
        ConfigError: If the file has no ``Config``, or it uses names that are not available here.
    """
    source = _config_source(find("model", model).source)
    wanted = [node for node in _parsed(source).body if _is_config(node) or _feeds_config(node)]
    if not any(_is_config(node) for node in wanted):
        raise ConfigError(f"{source} defines no class Config at its top level")
    module = ModuleType(f"_stbench_config_{model}")
    sys.modules[module.__name__] = module  # dataclasses looks its own module up
    try:
        exec(compile(ast.Module(wanted, []), str(source), "exec"), module.__dict__)  # noqa: S102 - the plug-in's own code
        found: type[Any] = module.__dict__["Config"]
        get_type_hints(found)
    except NameError as error:
        raise ConfigError(
            f"Config in {source} uses a name from outside {', '.join(CONFIG_MODULES)}: {error}"
        ) from error
    except Exception as error:
        raise ConfigError(f"Config in {source} cannot be made: {error}") from error
    return found


def describe(model: str) -> str:
    """The first line of the model file's docstring."""
    text = ast.get_docstring(_tree(model)) or ""
    return text.partition("\n")[0]


def role(model: str) -> str:
    """What the model file's ``ROLE`` says: "floor" for a naive forecast that is not trained, else "model"."""
    for node in _tree(model).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == "ROLE" for target in targets):
            if not (isinstance(node, ast.Assign | ast.AnnAssign) and ast.unparse(node.value or node) == "'floor'"):
                raise ConfigError(f'ROLE in {find("model", model).source} must be the text "floor", or be left out')
            return "floor"
    return "model"


def is_fitted(model: str) -> bool:
    """Whether the model file's ``Model`` has a ``fit`` of its own, so that nothing of it is trained by gradient."""
    found = (node for node in _tree(model).body if isinstance(node, ast.ClassDef) and node.name == "Model")
    return any(isinstance(part, ast.FunctionDef) and part.name == "fit" for node in found for part in node.body)


def _tree(model: str) -> ast.Module:
    return _parsed(find("model", model).source)


def _parsed(source: Path) -> ast.Module:
    try:
        return ast.parse(source.read_text(encoding="utf-8"), filename=str(source))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{source} cannot be read as Python: {error}") from error


def _config_source(source: Path) -> Path:
    """The file with the class statement of ``Config``: the model's own, or one beside it that it is imported from."""
    for node in _parsed(source).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and any(name.name == "Config" for name in node.names):
            return source.with_name(f"{node.module}.py")
    return source


def _is_config(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == "Config"


def _feeds_config(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module in CONFIG_MODULES


@cache
def _plugins(kind: Kind) -> dict[str, Plugin]:
    found = _local_models() if kind == "model" else _local_datasets()
    group = "stbench.models" if kind == "model" else "stbench.datasets"
    for entry in entry_points(group=group):
        plugin = _from_entry_point(kind, entry)
        if plugin.name in found:
            raise ConfigError(
                f"the {kind} '{plugin.name}' is registered twice, by {found[plugin.name].source} and by "
                f"{plugin.source}; rename one"
            )
        found[plugin.name] = plugin
    return found


def _local_models() -> dict[str, Plugin]:
    folder = _package_folder("baselines")
    found = {
        path.stem: Plugin(kind="model", name=path.stem, module=f"baselines.{path.stem}", files=(path, *_shared(path)))
        for path in _plugin_files(folder)
    }
    folder = _package_folder("stvfm")
    others = tuple(path for path in sorted(folder.glob("*.py")) if path.name != "model.py")
    files = (folder / "model.py", *others)
    found["stvfm"] = Plugin(kind="model", name="stvfm", module="stvfm.model", files=files)
    return found


def _local_datasets() -> dict[str, Plugin]:
    folder = _package_folder("datasets")
    shared = tuple(folder / name for name in READER_FILES)
    return {
        path.stem: Plugin(kind="dataset", name=path.stem, module=f"datasets.{path.stem}", files=(path, *shared))
        for path in _plugin_files(folder)
    }


def _plugin_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]


def _shared(path: Path) -> tuple[Path, ...]:
    """The files beside a model's that its text imports, such as ``from ._language import ...``, and theirs."""
    names = re.findall(r"^from \.(_\w+) import", path.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE)
    files = [path.with_name(f"{name}.py") for name in names]
    return tuple(dict.fromkeys(each for file in files for each in (file, *_shared(file))))


def _package_folder(package: str) -> Path:
    """The folder of one of our own packages, after checking that Python would import that very one.

    Raises:
        ConfigError: If another package of the same name comes first, as Hugging Face's ``datasets`` may.
    """
    wanted = ROOT / package
    spec = importlib.util.find_spec(package)
    origin = Path(spec.origin).resolve().parent if spec and spec.origin else None
    if origin != wanted:
        raise ConfigError(
            f"the package '{package}' resolves to {origin or 'nothing'} instead of {wanted}; run from the project's "
            f"root with 'python -m bench', or remove the other package ('pip uninstall {package}')"
        )
    return wanted


def _from_entry_point(kind: Kind, entry: EntryPoint) -> Plugin:
    """The plug-in of an entry point; every file of its package counts as its code."""
    try:
        spec = importlib.util.find_spec(entry.module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise ConfigError(f"the entry point '{entry.name}' names the module '{entry.module}', which is not installed")
    source = Path(spec.origin)
    package = importlib.util.find_spec(entry.module.partition(".")[0])
    folders = package.submodule_search_locations if package else None
    others = {path for folder in folders or () for path in Path(folder).rglob("*.py")} - {source}
    return Plugin(kind=kind, name=entry.name, module=entry.module, files=(source, *sorted(others)))
