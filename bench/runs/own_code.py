"""Code and cards of the user's own behind runs: which they are, and copies of them in the results folder.

The copies are of the code that made a run, whatever becomes of the files later; a supplement has them. Beside them is
noted when runs of this code were last asked for, so that whoever knows the files no more can tell today's from earlier.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.catalog import registry
from bench.catalog.code import own_files_behind
from bench.catalog.data import Catalog
from bench.catalog.own_files import OURS, root_of
from bench.catalog.plugins import Plugin
from bench.catalog.raw_files import USER_CARD
from bench.errors import BenchError
from bench.files import atomic_write
from bench.plain_files import read_plain
from bench.records.planned import PlannedRun
from bench.records.store import NAME
from bench.runs.plan import NO_CODE

DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
CODE: Final = re.compile("[0-9a-f]{12}")
PLUGINS, CARDS = "plugins", "cards"  # folders of a results folder
SOURCE: Final = ".source"  # beside the copies, by name the path among them of the file that declares it
ASKED: Final = ".asked"  # beside them, an empty file for each model, called by its name and by nanoseconds since 1970
NOTE: Final = re.compile(rf"(.+)\.(0|[1-9][0-9]{{0,19}}){re.escape(ASKED)}")


@dataclass(frozen=True)
class OwnCode:
    """The files of a plug-in that are not the project's.

    Attributes:
        root: The folder from which they are imported.
        source: The one that declares the model or data set.
    """

    root: Path
    source: Path
    files: tuple[Path, ...]


def own_code(plugin: Plugin, strangers: Set[Path]) -> OwnCode | None:
    """The files of a plug-in of the user's own, of an installed package, or one of ``strangers``; else None.

    Raises:
        ConfigError: If a file cannot be read.
    """
    if files := tuple(own_files_behind(plugin)):
        return OwnCode(root=plugin.root or root_of(plugin.source), source=plugin.source, files=files)
    if plugin.source in strangers:
        return OwnCode(root=plugin.source.parent, source=plugin.source, files=(plugin.source,))
    return None


def plugins_of(dataset: str, model: str, *sources: str) -> list[Plugin]:
    """The registered model and data sets of a run, as far as they can be used."""
    found, datasets = [], registry.dataset_names()
    for group, name, names in (
        ("model", model, registry.model_names()),
        *(("dataset", name, datasets) for name in (dataset, *sources)),
    ):
        if name in names:
            with suppress(BenchError):
                found.append(registry.find("model" if group == "model" else "dataset", name))
    return found


def in_the_commit(dataset: str, model: str, *sources: str) -> bool:
    """Whether all code behind a run lies in the project's checkout, and git knows it and all plug-ins there."""
    if model not in registry.model_names():
        return False
    try:
        files = [path for plugin in plugins_of(dataset, model, *sources) for path in own_files_behind(plugin)]
    except BenchError:
        return False
    return all(path.is_relative_to(registry.ROOT) for path in files) and not untracked(files)


def untracked(files: Iterable[Path] = ()) -> set[Path]:
    """Python files that the project's checkout does not know, in its packages and of these; none outside a checkout."""
    asked = [*OURS, *(path.relative_to(registry.ROOT).as_posix() for path in files)]
    command = ["git", "-C", str(registry.ROOT), "ls-files", "--others", "-z", "--", *asked]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return set()
    return {registry.ROOT / name for name in listed.split("\0") if name.endswith(".py")}


def keep(runs: Iterable[PlannedRun], catalog: Catalog, results: Path) -> None:
    """Copy the user's own code and cards behind runs into a results folder; what is there already stays.

    What cannot be copied is left: the run itself will say what is wrong with it.
    """
    runs = list(runs)
    made = dict.fromkeys((run.code, run.spec.behind) for run in runs)
    strangers = untracked() if made else set()
    for code, behind in made:
        with suppress(BenchError, OSError):
            _keep_code(results, code, plugins_of(*behind), strangers)
    datasets = (data for run in runs for data in run.spec.datasets)
    for name, sha256 in dict.fromkeys((data.name, data.sha256) for data in datasets):
        card = catalog.data_dir / name / USER_CARD if catalog.data_dir else None
        copy = card_of(results, name, sha256)
        if card is not None and name not in registry.dataset_names() and not copy.exists():
            with suppress(OSError), atomic_write(copy) as part:
                part.write_bytes(card.read_bytes())


def note_asked(runs: Iterable[PlannedRun], results: Path) -> None:
    """Note when runs that need a file of the user's own were asked for with this code, be they made already or not.

    Each note is a file of its own, so that processes and folders that are copied into each other lose none.
    """
    now = time.time_ns()
    own = (run for run in runs if run.code != NO_CODE and registry.needs_own_file(run))
    for model, code in dict.fromkeys((run.model, run.code) for run in own):
        folder = results / PLUGINS / code
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / asked_name(model, now)).touch()
            for path, noted, at in _notes(folder):
                if noted == model and at < now:
                    path.unlink(missing_ok=True)


def asked_name(model: str, at: int) -> str:
    """What the note is called that runs of a model were asked for at a time."""
    return f"{model}.{at}{ASKED}"


def asked_at(results: Path) -> dict[tuple[str, str], int]:
    """When runs that need files of the user's own were last asked for, by model and code, the latest first.

    The times are nanoseconds since 1970, in a supplement places in the order of asking.
    """
    times: dict[tuple[str, str], int] = {}
    for folder in (results / PLUGINS).glob("*"):
        for _, model, at in _notes(folder) if CODE.fullmatch(folder.name) else ():
            times[model, folder.name] = max(at, times.get((model, folder.name), 0))
    return dict(sorted(times.items(), key=lambda pair: (-pair[1], pair[0])))


def _notes(folder: Path) -> Iterator[tuple[Path, str, int]]:
    """Each note in a folder, with its model and its time."""
    for path in folder.glob(f"*{ASKED}"):
        if (note := NOTE.fullmatch(path.name)) is not None:
            yield path, note[1], int(note[2])


def outdated(results: Path, pairs: Iterable[tuple[tuple[str, ...], str]]) -> set[tuple[tuple[str, ...], str]]:
    """What was edited since, of ``Spec.behind`` and code of runs: by what was asked for last, without today's files.

    It is of another text of a model or data set of the user's own, whatever its comments are, or of other code of the
    same model and data.
    """
    asked, found = asked_at(results), set()
    text_of: dict[str, tuple[str, ...]] = {}
    code_of: dict[tuple[str, ...], str] = {}
    for behind, code in sorted(set(pairs), key=lambda pair: (-asked.get((pair[0][1], pair[1]), 0), pair)):
        if code == NO_CODE:
            continue
        kept = {name: _meaning(copy) for name, copy in kept_code(results, code).items() if name in behind}
        another = any(text_of.get(name, text) != text for name, text in kept.items())
        if another or code_of.get(behind, code) != code:
            found.add((behind, code))
        elif (behind[1], code) in asked:
            text_of |= kept
            code_of[behind] = code
    return found


def edited(results: Path, pairs: Iterable[tuple[tuple[str, ...], str]]) -> list[str]:
    """What is the user's own behind runs and means another thing, in its file here, than in the copy of their code."""
    found, strangers = set(), untracked()
    for behind, code in pairs:
        kept, plugins = kept_code(results, code), plugins_of(*behind)
        names = [plugin.name for plugin in plugins]
        for plugin in plugins:
            own = own_code(plugin, strangers) if plugin.name in kept and names.count(plugin.name) == 1 else None
            if own is not None and _meaning(_copy_of(own)) != _meaning(kept[plugin.name]):
                found.add(plugin.name)
    return sorted(found)


def card_of(results: Path, dataset: str, sha256: str) -> Path:
    """Where the card of a data set of the user's own, in this very version, is kept."""
    return results / CARDS / dataset / f"{sha256[:16]}.toml"


@dataclass(frozen=True)
class KeptCode:
    """The copies of a plug-in's own files.

    Attributes:
        source: The file that declares the model or data set, by its path below the folder of the copies.
        files: Contents by such paths, sorted.
    """

    source: str
    files: tuple[tuple[str, bytes], ...]


def copies(results: Path, code: str, names: Container[str]) -> dict[str, bytes]:
    """What is kept of a run's code under these names, by the path in the results folder."""
    kept, folder = kept_code(results, code), f"{PLUGINS}/{code}"
    files = {}
    for name, copy in kept.items():
        if name in names:
            files[f"{folder}/{name}{SOURCE}"] = copy.source.encode()
            files |= {f"{folder}/{name}/{path}": content for path, content in copy.files}
    return files


def kept_code(results: Path, code: str) -> Mapping[str, KeptCode]:
    """By name the copies of the models and data sets of the user's own behind a run's code, without broken ones.

    A record may name any code, and a results folder may hold anything: nothing out of the folder of copies is read.
    """
    folder, kept = results / PLUGINS / code, dict[str, KeptCode]()
    if CODE.fullmatch(code) and _is(folder, results.resolve() / PLUGINS / code):
        for source in sorted(folder.glob(f"*{SOURCE}")):
            copies = folder / (name := source.name.removesuffix(SOURCE))
            inside = all(_is(path, folder.resolve() / path.name) for path in (source, copies))
            if inside and NAME.fullmatch(name) and (copy := _kept(source, copies)) is not None:
                kept[name] = copy
    return kept


def _is(path: Path, place: Path) -> bool:
    """Whether a path leads to this place, and no link leads elsewhere or in a circle."""
    try:
        return path.resolve() == place
    except (OSError, RuntimeError):
        return False


def _kept(source: Path, folder: Path) -> KeptCode | None:
    try:
        copy = KeptCode(source=read_plain(source).decode(), files=_texts(folder))
    except (OSError, ValueError):
        return None
    return copy if copy.source in dict(copy.files) else None


def _texts(folder: Path) -> tuple[tuple[str, bytes], ...]:
    """The Python files below a folder by their paths in it, sorted; what leads out of it is left out."""
    inside = folder.resolve()
    paths = sorted(path for path in folder.rglob("*.py") if path.is_file() and path.resolve().is_relative_to(inside))
    return tuple((path.relative_to(folder).as_posix(), read_plain(path)) for path in paths)


def _meaning(copy: KeptCode) -> tuple[str, ...]:
    """What of copies is in the digest of a code: no comment, and no docstring."""
    return tuple(sorted(f"{path} {_syntax(content)}" for path, content in copy.files))


def _syntax(content: bytes) -> str:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return hashlib.sha256(content).hexdigest()
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            del node.body[0]
    return ast.dump(tree)


def _keep_code(results: Path, code: str, plugins: Iterable[Plugin], strangers: Set[Path]) -> None:
    """Copy what is not among the copies yet: a second model may have the same code."""
    folder, kept = results / PLUGINS / code, kept_code(results, code)
    for plugin in plugins:
        if plugin.name not in kept and (own := own_code(plugin, strangers)) is not None:
            copy = _copy_of(own)
            for path, content in copy.files:
                with atomic_write(folder / plugin.name / path) as part:
                    part.write_bytes(content)
            with atomic_write(folder / f"{plugin.name}{SOURCE}") as part:
                part.write_text(copy.source, encoding="utf-8")


def _copy_of(own: OwnCode) -> KeptCode:
    files = ((path.relative_to(own.root).as_posix(), read_plain(path)) for path in own.files)
    return KeptCode(source=own.source.relative_to(own.root).as_posix(), files=tuple(sorted(files)))
