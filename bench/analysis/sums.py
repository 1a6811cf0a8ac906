"""A file of digests beside others, as ``sha256sum`` writes it, and what is not as it says."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from bench.catalog.raw_files import digest_of
from bench.errors import DataError, StoreError
from bench.plain_files import read_plain

Content = bytes | Path
"""Of a file: all of it, or the file that it is a copy of, which may be large."""
SUMS: Final = "SHA256SUMS"
RECORDS: Final = "runs/"  # where a results folder has them
Alteration = Literal["was changed", "was added", "is gone"]


def sha256(content: Content) -> str:
    """The digest of a file."""
    return digest_of(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()


def sums_text(digests: Mapping[str, str]) -> bytes:
    """The file, from digests by the names of files."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def read_sums(path: Path) -> dict[str, str]:
    """The digests by the names of files; none if there is no such file.

    Raises:
        StoreError: If a line of it is none of ``sha256sum``.
    """
    try:
        lines = read_plain(path).decode().splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StoreError(f"{path} cannot be read ({error}); restore it from version control") from error


def altered_records(folder: Path, sums: Mapping[str, str]) -> dict[str, Alteration]:
    """What happened to each record that is not as it is noted, by its path below the results folder, sorted."""
    there = {path.relative_to(folder).as_posix(): path for path in (folder / "runs").rglob("*.json")}
    found: dict[str, Alteration] = {}
    for name in sorted(sums.keys() | there.keys()):
        if name not in sums:
            found[name] = "was added"
        elif name not in there:
            found[name] = "is gone"
        elif sha256(there[name]) != sums[name]:
            found[name] = "was changed"
    return found


def alterations(folder: Path) -> list[str]:
    """A sentence for each record that is not as it was when results were handed on; none where no digest is noted.

    Raises:
        StoreError: If the file of digests in the folder cannot be read.
    """
    sums = noted(folder)
    changed = altered_records(folder, sums) if sums else {}
    return [f"{folder / name} {what}, as {SUMS} says" for name, what in changed.items()]


def noted(folder: Path) -> dict[str, str]:
    """The digests of a results folder's records: of a file in it or, in a supplement, of one beside it.

    Raises:
        StoreError: If the file in it cannot be read.
    """
    below = f"{folder.resolve().name}/"
    beside = {name.removeprefix(below): each for name, each in _beside(folder).items() if name.startswith(below)}
    sums = read_sums(folder / SUMS) or beside
    return {name: digest for name, digest in sums.items() if name.startswith(RECORDS)}


def altered_files(folder: Path) -> list[str]:
    """The other files of the supplement that a results folder is of, by their names in it, that are not as noted.

    The names were written by others: what cannot be read, is no plain file, or does not lie in the supplement is not as
    noted either.
    """
    home, records, sums = folder.resolve().parent, f"{folder.resolve().name}/{RECORDS}", _beside(folder)
    if not any(name.startswith(records) for name in sums):
        return []
    others = sorted(name for name in sums if not name.startswith(records))
    return [name for name in others if not _as_noted(home, name, sums[name])]


def _as_noted(home: Path, name: str, digest: str) -> bool:
    """Whether a file has this digest; nothing is opened to which the name, or a link, leads out of the folder."""
    leads_out = Path(name).is_absolute() or ".." in Path(name).parts
    try:
        path = (home / name).resolve()
        return not leads_out and path.is_relative_to(home) and sha256(path) == digest
    except (OSError, RuntimeError, ValueError, DataError):  # too long, a circle of links, a zero byte, unreadable
        return False


def _beside(folder: Path) -> dict[str, str]:
    """The digests in the folder that a results folder lies in; none if they are of anything else."""
    with suppress(StoreError):
        return read_sums(folder.resolve().parent / SUMS)
    return {}
