"""Digests of the project's code, kept beside Python's own caches for as long as no file of the project changes.

To work them out takes half a second, and each worker would do so. They are known by the contents of all files that
they can be made of, and by Python's version, so a kept digest is the one that would be worked out. As with Python's own
caches, whoever can write there can write to the code as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

from bench.catalog.code_files import read_anew
from bench.catalog.own_files import OURS
from bench.files import atomic_write

EQUAL_CODE = Path("bench", "catalog", "equal_code.toml")

Looks = tuple[tuple[str, int, int], ...]
"""Path, time of change and size of each file."""


@contextmanager
def kept_digests(root: Path) -> Iterator[dict[str, str]]:
    """Digests by what they are of, for the files below ``root`` as they are now; what is added is kept, too.

    Nothing is kept where a file cannot be read, or is edited meanwhile; a folder that cannot be written to is no error.
    """
    path = Path(cache_from_source(str(root / "bench" / "catalog" / "code.py"))).with_suffix(".digests")
    try:
        state = _state_of(root, looks := _looks(root))
    except OSError:
        yield {}
        return
    read_anew(tuple(path for path, _, _ in looks))
    digests = _read(path, state)
    known = len(digests)
    yield digests
    if len(digests) > known and not sys.dont_write_bytecode:
        with suppress(OSError):
            if _looks(root) == looks:
                with atomic_write(path) as part:
                    part.write_text(json.dumps({"state": state, "digests": digests}), encoding="utf-8")


def _read(path: Path, state: str) -> dict[str, str]:
    """What is kept for this state of the files; nothing if it is of another, or is no such file."""
    try:
        kept = json.loads(path.read_bytes())
        if kept["state"] == state:
            return {str(name): str(digest) for name, digest in kept["digests"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return {}


def _looks(root: Path) -> Looks:
    """Of all files that a digest can be made of, sorted."""
    files = (entry for package in OURS for entry in _python_files(str(root / package)))
    looks = [(entry.path, entry.stat()) for entry in files] + [(str(root / EQUAL_CODE), (root / EQUAL_CODE).stat())]
    return tuple(sorted((path, about.st_mtime_ns, about.st_size) for path, about in looks))


def _python_files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Those below a folder; a link to nowhere, as editors leave them, is none."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _python_files(entry.path)
            elif entry.name.endswith(".py") and entry.is_file():
                yield entry


@cache
def _state_of(root: Path, looks: Looks) -> str:
    """Digest of Python's version and of the place and content of each of these files."""
    digests = ((os.path.relpath(path, root), hashlib.sha256(Path(path).read_bytes())) for path, _, _ in looks)
    parts = [sys.version, *(f"{place} {digest.hexdigest()}" for place, digest in digests)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
