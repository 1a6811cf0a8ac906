"""Whether tables and figures are as they would be if they were made again, found out without reading a record."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.analysis.known_code import known_codes, known_own_readers
from bench.catalog import registry
from bench.catalog.own_files import OURS
from bench.files import atomic_write
from bench.plain_files import read_plain
from bench.records.store import SET_ASIDE, SUPERSEDED
from bench.runs.own_code import asked_at

FILE = ".tables.json"
LIBRARIES = ("matplotlib", "numpy", "pandas", "scipy", "pillow")
FOLDERS = ("tables", "figures")  # of a results folder
UNREAD = ("__pycache__", SET_ASIDE, SUPERSEDED)  # folders that nothing is read from


@dataclass(frozen=True)
class Written:
    """The note beside tables and figures of what they were made of and what they were then.

    Attributes:
        results: The results folder.
        made_of: As ``made_of`` has it.
    """

    results: Path
    made_of: str

    def files(self) -> list[Path] | None:
        """The files, in the order in which they were written; None if any of them must be made, or made again."""
        try:
            note = json.loads(read_plain(self.results / FILE))
            known: Mapping[str, str | None] = note["files"]
            fresh = note["made_of"] == self.made_of and note["there"] == self._there()
            if fresh and all(_content(self.results / name) == content for name, content in known.items()):
                return [self.results / name for name, content in known.items() if content is not None]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return None

    def note(self, files: Mapping[str, bytes | None]) -> None:
        """Note what was written, by paths below the results folder; None is a file that must not be."""
        digests = {name: None if content is None else _digest(content) for name, content in files.items()}
        text = json.dumps({"made_of": self.made_of, "files": digests, "there": self._there()}, indent=0)
        with atomic_write(self.results / FILE) as part:
            part.write_text(text, encoding="utf-8")

    def _there(self) -> list[str]:
        """The names of what lies in the folders: a figure of before may have to go."""
        return sorted(path.name for folder in FOLDERS for path in (self.results / folder).glob("*"))


def made_of(results: Path, suites: Sequence[str]) -> str:
    """Digest of all that tables and figures depend on.

    These are the records, tuned settings and studies of a results folder, as their files look; the code of the
    project, likewise; today's code of the runs, whose plug-ins may lie elsewhere; the files of ``suites`` that do not
    come with the project; and the versions of the libraries that draw and count. Of the user's own code whose files are
    not here, what was asked for last is today's.
    """
    ours = (registry.ROOT / folder for folder in OURS)
    parts: dict[str, Any] = {
        "results": [_looks(results / folder) for folder in ("runs", "tuned")],
        "project": [_looks(folder) for folder in ours],
        "code": [*_todays_code(results), *asked_at(results)],
        "suites": [[name, _content(Path(name))] for name in suites if name.endswith(".toml")],
        "libraries": [platform.python_version(), *map(_version, LIBRARIES)],
    }
    return _digest(json.dumps([parts, list(suites)], sort_keys=True).encode())


def _looks(folder: Path) -> list[tuple[str, int, int, int]]:
    """How each file below a folder looks, sorted: writing into one changes its times, even where one is set back."""
    looks = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in UNREAD]
        for name in names:
            with suppress(FileNotFoundError):  # another process has put it aside
                about = os.stat(path := os.path.join(parent, name))  # noqa: PTH116, PTH118 - there may be many
                looks.append((path, about.st_size, about.st_mtime_ns, about.st_ctime_ns))
    return sorted(looks)


def _todays_code(results: Path) -> list[tuple[str, ...]]:
    """Of each data set and model that has a folder of records, and of whatever else these may be trained on."""
    pairs = sorted((path.parent.name, path.name) for path in results.glob("runs/*/*"))
    return [*((*pair, code) for pair, code in known_codes(pairs).items()), *known_own_readers().items()]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def _content(path: Path) -> str | None:
    """The digest of a file; None if there is none."""
    try:
        return _digest(read_plain(path))
    except FileNotFoundError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
