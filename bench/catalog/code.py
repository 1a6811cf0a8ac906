"""The digest of the code behind a run, which survives a refactoring.

It covers all files of ours that can move a number: those that every run needs (``ROOTS``), the model's and the
reader's, and whatever these import, in any form. Each file counts by its syntax and by the meaning of the names it
imports, never by its own name or path. What is imported by a text made at run time is not seen, nor is a data file.

``python -m bench.catalog.code PATH ...`` prints the digest of each file, as ``equal_code.toml`` wants it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Final

from bench.catalog import registry
from bench.catalog.code_files import File, Homes, file_at, lines_of, path_of, with_imports
from bench.catalog.equal_code import first_of_equals
from bench.catalog.kept_digests import kept_digests
from bench.catalog.own_files import OURS
from bench.catalog.plugins import Plugin
from bench.errors import BenchError, ConfigError

ROOTS: Final = ("bench.context", "bench.task", "bench.train", "bench.runs.evaluator")
SCORING: Final = ("bench.task", "bench.scoring")


def code_of(dataset: str, model: str, *sources: str) -> str:
    """Digest of the code behind one data set and model, and behind what is trained on before; 12 hexadecimal digits.

    A data set imported by the user has no file of its own; its data digest is part of the spec.

    Raises:
        ConfigError: If a file cannot be read, or ``equal_code.toml`` is not valid.
        UnknownNameError: If there is no such model.
    """
    return codes_of([(dataset, model, *sources)])[dataset, model, *sources]


def codes_of(behind: Iterable[tuple[str, ...]], *, skip_unreadable: bool = False) -> dict[tuple[str, ...], str]:
    """``code_of`` of many data sets and models, each followed by its sources; each plug-in is looked at once.

    With ``skip_unreadable``, those are left out of which a plug-in's file cannot be read.
    """
    readers, codes = registry.dataset_names(), {}
    with _digester(ROOTS) as digest_of:
        digest_of([])  # what all need must be readable in any case
        for names in behind:
            dataset, model, *sources = names
            try:
                read_by = [registry.find("dataset", name) for name in (dataset, *sources) if name in readers]
                codes[names] = digest_of([*read_by, registry.find("model", model)])[:12]
            except ConfigError:
                if not skip_unreadable:
                    raise
    return codes


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
    with _digester(tuple(modules)) as digest_of:
        return digest_of(list(plugins))


@contextmanager
def _digester(modules: Sequence[str]) -> Iterator[Callable[[Sequence[Plugin]], str]]:
    """Gives the digest of these modules with some plug-ins; those of the project's own files are kept."""
    of_modules, of_plugin = cache(lambda: _module_lines(modules)), cache(_plugin_lines)
    with kept_digests(registry.ROOT) as kept:

        def digest_of(plugins: Sequence[Plugin]) -> str:
            name = " ".join([*modules, *sorted(f"{plugin.group}:{plugin.module}" for plugin in plugins)])
            ours = all(plugin.root is None and registry.is_ours(plugin.source) for plugin in plugins)
            if ours and name in kept:
                return kept[name]
            digest = _digest([of_modules(), *map(of_plugin, plugins)])
            if ours:
                kept[name] = digest
            return digest

        yield digest_of


def _digest(lines: Iterable[Set[str]]) -> str:
    return hashlib.sha256("\n".join(sorted(set().union(*lines))).encode()).hexdigest()


def _module_lines(modules: Iterable[str]) -> Set[str]:
    homes = _our_homes()
    return lines_of(with_imports([(name, _root(name, homes)) for name in modules], homes), _equal())


def _plugin_lines(plugin: Plugin) -> Set[str]:
    files = _files_of(plugin)
    digest, equal = files[plugin.source].digest, _equal()
    return {f"{plugin.group} {equal.get(digest, digest)}", *lines_of(files, equal)}


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
    return [path for path in _files_of(plugin) if not registry.is_ours(path)]


def _files_of(plugin: Plugin) -> dict[Path, File]:
    """A plug-in's file and what it imports of ours and of its own."""
    homes = _our_homes()
    if plugin.root is None:
        return with_imports([(plugin.module, plugin.source)], _with_home(homes, plugin.module, plugin.source))
    module = plugin.module.partition(".")[2]  # as it is called within the package of its folder
    return with_imports([(module, plugin.source)], (*homes, ("", plugin.root)))


def file_digest(path: Path) -> str:
    """Digest of the syntax of one file, 16 hexadecimal digits.

    Raises:
        ConfigError: If it cannot be read as Python.
    """
    path = path.resolve()
    packages = takewhile(lambda folder: (folder / "__init__.py").is_file(), path.parents)
    parts = [folder.name for folder in packages][::-1]
    module = ".".join([*parts, *([] if path.name == "__init__.py" else [path.stem])])
    return file_at(path, module, _with_home(_our_homes(), module, path)).digest


def _our_homes() -> Homes:
    return tuple((name, registry.ROOT) for name in OURS)


def _with_home(homes: Homes, module: str, source: Path) -> Homes:
    """These and the folder of a plug-in's own top-level package."""
    parts = module.split(".")
    return tuple({**dict(homes), parts[0]: source.parents[len(parts) - (source.name != "__init__.py")]}.items())


def _root(module: str, homes: Homes) -> Path:
    path = path_of(module, homes)
    if path is None:
        raise ConfigError(f"the code of runs has no digest: there is no module '{module}' below {registry.ROOT}")
    return path


def main(paths: Iterable[str]) -> None:
    """Print the digest of each file."""
    try:
        for path in paths:
            print(f"{file_digest(Path(path))}  {path}")
    except BenchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
