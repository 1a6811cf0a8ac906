"""What lies in a data folder: a folder or file that is there but cannot be reached is an error, never nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from bench.errors import DataError
from bench.plain_files import check_plain, open_plain

USER_CARD = "card.toml"


def entries(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden; nothing if there is no folder."""
    try:
        with os.scandir(folder) as listed:
            return [folder / entry.name for entry in listed if not entry.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreachable(folder, error) from error


def strangers(folder: Path | None, known: Iterable[str]) -> list[str]:
    """The names of folders in a data folder that are not known, sorted."""
    names = set(known)
    return sorted(path.name for path in (entries(folder) if folder else ()) if path.name not in names and path.is_dir())


def may_be_imported(folder: Path) -> bool:
    """Whether a card lies in the folder; one that cannot be listed, but could be a data set, is not passed over."""
    try:
        with os.scandir(folder) as listed:
            return any(entry.name == USER_CARD for entry in listed)
    except NotADirectoryError:
        return False
    except OSError:
        return folder.name.isidentifier()


def searched(data_dir: Path | None) -> str:
    """Where imported data sets were looked for, in a sentence; of a folder that is one itself, which to give."""
    if data_dir is None:
        return "imported data sets lie in a data folder, and there is none here: name it by --data-dir, or data_dir="
    if may_be_imported(data_dir):
        above = os.path.normpath(data_dir / os.pardir)
        return f"{data_dir} is itself the folder of a data set: give {above} as the data folder"
    return f"imported data sets were looked for in the data folder {data_dir}"


def files_below(folder: Path) -> list[Path]:
    """All files that are not hidden, sorted; nothing if there is no folder of this name at all."""

    def refuse(error: OSError) -> None:
        raise error

    try:
        folder.lstat()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreachable(folder, error) from error
    try:
        walk = os.walk(folder, onerror=refuse)
        paths = [Path(parent, name) for parent, _, names in walk for name in names if not name.startswith(".")]
        for path in paths:
            check_plain(path)
        return sorted(paths)
    except OSError as error:
        raise _unreachable(folder, error) from error


def _unreachable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"{error.filename or folder} cannot be read: {error.strerror or error}; mend its permissions or the link, or "
        "move it out of the data folder"
    )


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    try:
        with open_plain(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}; check its permissions") from error
