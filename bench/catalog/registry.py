"""Models and data sets by name: files of the project, entry points, and files of the user's own.

Files of the project are those in ``baselines/``, ``stvfm/`` and ``datasets/``; ``bench.catalog.own_files`` says how
the user's own are found. Listing names reads folders and package metadata, and of the user's own files their syntax. A
plug-in's module is imported when it is used, and its ``Config`` can be read without importing it. What is wrong with
one is said where it is used, and keeps nobody from using the others.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import field, fields, make_dataclass, replace
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from bench.catalog import own_files
from bench.catalog.cards import problem_of_card
from bench.catalog.own_files import OwnFile
from bench.catalog.plugins import NOUNS, WANTED, Group, Plugin, declared, looks, parsed, presets
from bench.catalog.reading import check_import
from bench.errors import BenchError, ConfigError, UnknownNameError
from bench.plain_text import one_line

if TYPE_CHECKING:
    from bench.records.planned import PlannedRun
    from bench.records.record import Record

ROOT = Path(__file__).resolve().parents[2]
CONFIG_MODULES = ("__future__", "dataclasses", "typing", "bench.config")


def model_names() -> list[str]:
    """Registered models, sorted."""
    return sorted(_known("model"))


def dataset_names() -> list[str]:
    """Registered data sets, sorted; a user's imported arrays are not among them (see ``bench.catalog.data``)."""
    return sorted(_known("dataset"))


def comes_with_the_project(group: Group, name: str) -> bool:
    """Whether a model or data set has a file in the project's packages, whatever else is registered here."""
    plugin = _plugins(group).get(name)
    return plugin is not None and is_ours(plugin.source)


def needs_own_file(record: Record | PlannedRun) -> bool:
    """Whether a run needs a file that the project has not; imported data sets are found without one."""
    readers = [data.name for data in record.spec.datasets if data.name in _known("dataset")]
    ours = [comes_with_the_project("dataset", name) for name in readers]
    return not (all(ours) and comes_with_the_project("model", record.model))


def is_ours(file: Path) -> bool:
    """Whether a file lies in the project's packages."""
    return any(file.is_relative_to(ROOT / package) for package in own_files.OURS)


def find(group: Group, name: str) -> Plugin:
    """The plug-in of this name.

    Raises:
        UnknownNameError: With the nearest known name.
        ConfigError: If it cannot be used.
    """
    plugins = _known(group)
    if name not in plugins:
        raise unknown(group, name)
    if plugins[name].problem:
        raise ConfigError(plugins[name].problem)
    return plugins[name]


def unknown(group: Group, name: str) -> UnknownNameError:
    """The error of a name that nothing has, with what it may have meant."""
    hint = f"a file of your own is given by its path, or listed in ${own_files.VARIABLE}"
    notes = own_files.here(name) or own_files.useless_entries() or [hint]
    return UnknownNameError(NOUNS[group], name, _known(group), *notes)


def typed(group: Group, name: str) -> str:
    """What a person types for a model or data set: its name, or the path of the user's own file that declares it."""
    plugin = _known(group).get(name)
    return name if plugin is None or plugin.root is None else own_files.typed(plugin.source)


def problem_of(group: Group, name: str) -> str:
    """Why a model cannot be planned, or a data set has no card, in a sentence; empty if it can, and has one."""
    try:
        if group == "model":
            config_class(name), role(name)
        else:
            load(group, name)
    except BenchError as error:
        return str(error)
    return ""


def named(group: Group, texts: Iterable[str]) -> tuple[tuple[str, ...], tuple[OwnFile, ...]]:
    """The names for texts of which some are paths of files, and these files, which are to be listed.

    Raises:
        ConfigError: If a path is that of no Python file, or of one that declares none of the group.
    """
    names: list[str] = []
    files: list[OwnFile] = []
    for text in texts:
        if not own_files.is_path(text):
            names.append(text)
            continue
        file = own_files.names_the_file(text)
        declared_names = [plugin.name for plugin in declared(file) if plugin.group == group]
        if not declared_names:
            attributes = " and no ".join(WANTED[group])
            raise ConfigError(f"{file.path} defines no {attributes}, so it is no {NOUNS[group]}'s file")
        names += declared_names
        files.append(file)
    return tuple(names), tuple(files)


def load(group: Group, name: str) -> ModuleType:
    """Import the plug-in's module; the file of a data set that is not ours is first tried in another process.

    Raises:
        ConfigError: If the import fails or ends that process, or the module lacks what a plug-in must offer.
    """
    plugin = find(group, name)
    try:
        module = _imported(plugin, apart_first=group == "dataset" and not comes_with_the_project(group, name))
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{group} '{name}' cannot be imported from {plugin.source}: {type(error).__name__}: {one_line(error)}"
        ) from error
    missing = [attribute for attribute in WANTED[group] if not hasattr(module, attribute)]
    if missing:
        raise ConfigError(
            f"{plugin.source} defines no {' and no '.join(missing)}; a {NOUNS[group]}'s file needs both "
            f"{' and '.join(WANTED[group])}"
        )
    if group == "dataset" and (problem := problem_of_card(module.CARD)):
        raise ConfigError(f"CARD in {plugin.source} {problem}")
    if group == "dataset" and hasattr(module, "make") and not hasattr(module, "VERSION"):
        raise ConfigError(f"{plugin.source} defines make and no VERSION of what it makes; add VERSION = 1")
    if group == "dataset" and module.CARD.name != name:
        raise ConfigError(
            f"{plugin.source} is registered as '{name}', but its card says '{module.CARD.name}': agree on one"
        )
    return module


def config_class(model: str) -> type[Any]:
    """The model's ``Config`` dataclass, read from its class statement alone, so without importing torch.

    Raises:
        ConfigError: If the file has no ``Config``, or it uses names that are not available here.
    """
    plugin = find("model", model)
    source = _config_source(plugin)
    return _config_in(source, plugin, looks(source))


@cache
def _config_in(source: Path, plugin: Plugin, _looks: tuple[int, int]) -> type[Any]:
    statements = [node for node in parsed(source).body if _is_config(node) or _feeds_config(node)]
    if not any(_is_config(node) for node in statements):
        raise ConfigError(f"{source} defines no class Config at its top level")
    module = ModuleType(f"_stbench_config_{plugin.name}")
    sys.modules[module.__name__] = module  # dataclasses looks its own module up
    try:
        exec(compile(ast.Module(statements, []), str(source), "exec"), module.__dict__)  # noqa: S102 - the plug-in's own code
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


def is_naive(model: str) -> bool:
    """Whether it is a naive baseline; a model that cannot be used is none."""
    return not problem_of("model", model) and role(model) == "naive"


def is_fitted(model: str) -> bool:
    """Whether the model file's ``Model`` has a ``fit`` of its own, so that nothing of it is trained by gradient."""
    classes = (node for node in _tree(model).body if isinstance(node, ast.ClassDef) and node.name == "Model")
    return any(isinstance(part, ast.FunctionDef) and part.name == "fit" for node in classes for part in node.body)


def _tree(model: str) -> ast.Module:
    return parsed(find("model", model).source)


def _config_source(plugin: Plugin) -> Path:
    """The file with the class statement of ``Config``: the model's own, or one beside it that it is imported from."""
    for node in parsed(plugin.source).body:
        if isinstance(node, ast.ImportFrom) and node.module and any(name.name == "Config" for name in node.names):
            if node.level == 1:
                return plugin.source.with_name(f"{node.module}.py")
            if node.level == 0 and plugin.root and own_files.is_beside(plugin.root, node.module.partition(".")[0]):
                return plugin.root.joinpath(*node.module.split(".")).with_suffix(".py")
    return plugin.source


def _is_config(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and node.name == "Config"


def _feeds_config(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module in CONFIG_MODULES


def _known(group: Group) -> Mapping[str, Plugin]:
    """The registered ones and those in files of the user's own, as they are now."""
    if not os.environ.get(own_files.VARIABLE):
        return _plugins(group)
    files = own_files.own_files()
    return _with_own(group, tuple((file, looks(file.path) if file.path.is_file() else None) for file in files))


@lru_cache(maxsize=8)
def _with_own(group: Group, files: tuple[tuple[OwnFile, tuple[int, int] | None], ...]) -> Mapping[str, Plugin]:
    """Those of the project and of installed packages, and what files of the user's own declare, as these look."""
    plugins = dict(_plugins(group))
    for file, _ in files:
        for plugin in declared(file):
            if plugin.group == group:
                plugins[plugin.name] = _beside_other(plugin, plugins.get(plugin.name))
    return plugins


@cache
def _plugins(group: Group) -> Mapping[str, Plugin]:
    """Those of the project and of installed packages."""
    plugins = _local_models() if group == "model" else _plugins_of("dataset", "datasets")
    for entry in entry_points(group=f"stbench.{group}s"):
        plugin = _from_entry_point(group, entry)
        plugins[plugin.name] = _beside_other(plugin, plugins.get(plugin.name))
    return plugins


def _beside_other(plugin: Plugin, other: Plugin | None) -> Plugin:
    """A plug-in, of which nobody could tell which is meant if another one has its name."""
    if other is None or other.source == plugin.source:
        return plugin
    problem = (
        f"the {NOUNS[plugin.group]} '{plugin.name}' is registered twice, by {other.source} and by {plugin.source}; "
        "rename one"
    )
    return replace(plugin, problem=problem)


def _imported(plugin: Plugin, *, apart_first: bool) -> ModuleType:
    if plugin.root is not None:
        own_files.importable(plugin.root)
    if not apart_first or plugin.module in sys.modules:
        return importlib.import_module(plugin.module)
    check_import(plugin)
    with contextlib.redirect_stdout(sys.stderr):  # what a command prints may be JSON
        return importlib.import_module(plugin.module)


def _local_models() -> dict[str, Plugin]:
    source = _package_folder("stvfm") / "model.py"
    plugins = [preset for plugin in _plugins_of("model", "baselines").values() for preset in presets(plugin)]
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


def _package_folder(package: str) -> Path:
    """The folder of one of our own packages, after checking that Python would import that very one.

    Raises:
        ConfigError: If another package of the same name comes first, as Hugging Face's ``datasets`` may.
    """
    folder = ROOT / package
    spec = importlib.util.find_spec(package)
    origin = Path(spec.origin).resolve().parent if spec and spec.origin else None
    if origin != folder:
        raise ConfigError(
            f"the package '{package}' resolves to {origin or 'nothing'} instead of {folder}; run from the project's "
            f"root with 'python -m bench', or remove the other package ('pip uninstall {package}')"
        )
    return folder


def _from_entry_point(group: Group, entry: EntryPoint) -> Plugin:
    try:
        spec = importlib.util.find_spec(entry.module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        problem = f"the entry point '{entry.name}' names the module '{entry.module}', which is not installed"
        return Plugin(group=group, name=entry.name, module=entry.module, source=Path(entry.module), problem=problem)
    return Plugin(group=group, name=entry.name, module=entry.module, source=Path(spec.origin))
