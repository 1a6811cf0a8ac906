"""Models and data sets by name: a file in ``baselines/``, ``stvfm/`` or ``datasets/``, or an entry point.

Listing names reads folders and package metadata only. A plug-in's module is imported when it is used, and its
``Config`` can be read without importing it.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass, replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_type_hints

from bench.errors import BenchError, ConfigError, UnknownNameError

ROOT = Path(__file__).resolve().parents[2]
Group = Literal["model", "dataset"]
CONFIG_MODULES = ("__future__", "dataclasses", "typing", "bench.config")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Where one registered name lives.

    Attributes:
        module: Import name.
        source: The file that declares ``Config`` and ``Model``, or ``CARD`` and ``read``.
        preset: Settings of a model in place of its defaults, where its file registers several names.
    """

    group: Group
    name: str
    module: str
    source: Path
    preset: Mapping[str, Any] = field(default_factory=dict, hash=False)


def model_names() -> list[str]:
    """Registered models, sorted."""
    return sorted(_plugins("model"))


def dataset_names() -> list[str]:
    """Registered data sets, sorted; a user's imported arrays are not among them (see ``bench.catalog.data``)."""
    return sorted(_plugins("dataset"))


def find(group: Group, name: str) -> Plugin:
    """The plug-in of this name.

    Raises:
        UnknownNameError: With the nearest known name.
    """
    plugins = _plugins(group)
    if name not in plugins:
        raise UnknownNameError("model" if group == "model" else "data set", name, plugins)
    return plugins[name]


def load(group: Group, name: str) -> ModuleType:
    """Import the plug-in's module.

    Raises:
        ConfigError: If the import fails or the module lacks what a plug-in must offer.
    """
    plugin = find(group, name)
    try:
        module = importlib.import_module(plugin.module)
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{group} '{name}' cannot be imported from {plugin.source}: {type(error).__name__}: {error}"
        ) from error
    wanted = ("Config", "Model") if group == "model" else ("CARD", "read")
    missing = [attribute for attribute in wanted if not hasattr(module, attribute)]
    if missing:
        raise ConfigError(f"{plugin.source} defines no {' and no '.join(missing)}; a {group} file needs both {wanted}")
    if group == "dataset" and module.CARD.name != name:
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
    plugin = find("model", model)
    source = _config_source(plugin.source)
    wanted = [node for node in _parsed(source).body if _is_config(node) or _feeds_config(node)]
    if not any(_is_config(node) for node in wanted):
        raise ConfigError(f"{source} defines no class Config at its top level")
    module = ModuleType(f"_stbench_config_{model}")
    sys.modules[module.__name__] = module  # dataclasses looks its own module up
    try:
        exec(compile(ast.Module(wanted, []), str(source), "exec"), module.__dict__)  # noqa: S102 - the plug-in's own code
        config = _with_preset(module.__dict__["Config"], plugin.preset)
        get_type_hints(config)
    except NameError as error:
        raise ConfigError(
            f"Config in {source} uses a name from outside {', '.join(CONFIG_MODULES)}: {error}"
        ) from error
    except Exception as error:
        raise ConfigError(f"Config in {source} cannot be made: {error}") from error
    return config


def _with_preset(config: type[Any], preset: Mapping[str, Any]) -> type[Any]:
    """The same ``Config`` with other defaults."""
    if not preset:
        return config
    changed = [(f.name, f.type, field(default=preset[f.name])) for f in fields(config) if f.name in preset]
    made = make_dataclass(config.__name__, changed, bases=(config,), frozen=True, kw_only=True)
    made.__module__ = config.__module__
    return made


def describe(model: str) -> str:
    """The first line of the model file's docstring."""
    text = ast.get_docstring(_tree(model)) or ""
    return text.partition("\n")[0]


def role(model: str) -> Literal["model", "naive"]:
    """What the model file's ``ROLE`` says: "naive" for a naive forecast that is not trained, else "model"."""
    for node in _tree(model).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == "ROLE" for target in targets):
            if not (isinstance(node, ast.Assign | ast.AnnAssign) and ast.unparse(node.value or node) == "'naive'"):
                raise ConfigError(f'ROLE in {find("model", model).source} must be the text "naive", or be left out')
            return "naive"
    return "model"


def is_fitted(model: str) -> bool:
    """Whether the model file's ``Model`` has a ``fit`` of its own, so that nothing of it is trained by gradient."""
    classes = (node for node in _tree(model).body if isinstance(node, ast.ClassDef) and node.name == "Model")
    return any(isinstance(part, ast.FunctionDef) and part.name == "fit" for node in classes for part in node.body)


def _tree(model: str) -> ast.Module:
    return _parsed(find("model", model).source)


def _parsed(source: Path) -> ast.Module:
    """The syntax of a file as it is now; not to be changed."""
    try:
        about = source.stat()
        return _tree_of(source, (about.st_mtime_ns, about.st_size))
    except (OSError, SyntaxError, ValueError) as error:
        raise ConfigError(f"{source} cannot be read as Python: {error}") from error


@cache
def _tree_of(source: Path, _looks: tuple[int, int]) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), filename=str(source))


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
def _plugins(group: Group) -> dict[str, Plugin]:
    plugins = _local_models() if group == "model" else _plugins_of("dataset", "datasets")
    for entry in entry_points(group=f"stbench.{group}s"):
        plugin = _from_entry_point(group, entry)
        if plugin.name in plugins:
            raise ConfigError(
                f"the {group} '{plugin.name}' is registered twice, by {plugins[plugin.name].source} and by "
                f"{plugin.source}; rename one"
            )
        plugins[plugin.name] = plugin
    return plugins


def _local_models() -> dict[str, Plugin]:
    source = _package_folder("stvfm") / "model.py"
    plugins = [preset for plugin in _plugins_of("model", "baselines").values() for preset in _presets(plugin)]
    return {
        **{plugin.name: plugin for plugin in plugins},
        "stvfm": Plugin(group="model", name="stvfm", module="stvfm.model", source=source),
    }


def _plugins_of(group: Group, package: str) -> dict[str, Plugin]:
    """A plug-in for each file of a package of ours, but for those with an underscore."""
    return {
        path.stem: Plugin(group=group, name=path.stem, module=f"{package}.{path.stem}", source=path)
        for path in sorted(_package_folder(package).glob("*.py"))
        if not path.name.startswith("_")
    }


def _presets(plugin: Plugin) -> list[Plugin]:
    """The plug-ins of a model's file: one, or as many as its ``PRESETS`` name, each with settings of its own."""
    if "PRESETS" not in plugin.source.read_text(encoding="utf-8", errors="replace"):
        return [plugin]
    for node in _parsed(plugin.source).body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "PRESETS" and node.value:
            presets: dict[str, dict[str, Any]] = ast.literal_eval(node.value)
            return [replace(plugin, name=name, preset=values) for name, values in presets.items()]
    return [plugin]


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


def _from_entry_point(group: Group, entry: EntryPoint) -> Plugin:
    try:
        spec = importlib.util.find_spec(entry.module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        raise ConfigError(f"the entry point '{entry.name}' names the module '{entry.module}', which is not installed")
    return Plugin(group=group, name=entry.name, module=entry.module, source=Path(spec.origin))
