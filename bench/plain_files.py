"""Files of the user's: plain ones alone, for a pipe or a device would be waited for, or read, without an end."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from bench.plain_text import printable

MOST_TEXT: Final = 4 << 20  # bytes of a text that somebody wrote
DEEPEST: Final = 32  # tables and lists within each other
LONG_KEY: Final = re.compile(r"""^[ \t\[]*(?:["']?[\w-]*["']?[ \t]*\.[ \t]*){33}""", re.M)  # takes minutes to be parsed
SPECIAL: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_plain(path: Path, most: int | None = None) -> None:
    """Refuse a path at which no plain file lies; links are followed.

    Args:
        path: Of the file.
        most: Bytes that it may have.

    Raises:
        OSError: With a reason of one sentence, also if there is nothing, or the file is too large.
    """
    try:
        about = path.stat()
    except ValueError as error:  # a zero byte
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from error
    kind = stat.S_IFMT(about.st_mode)
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {SPECIAL.get(kind, 'something else')}, and no file", str(path))
    if most is not None and about.st_size > most:
        raise OSError(errno.EFBIG, f"it is larger than {most / 1e6:.3g} MB", str(path))


def open_plain(path: Path) -> BufferedReader:
    """A plain file, to be read.

    Raises:
        OSError: If it is none, or cannot be opened.
    """
    check_plain(path)
    return os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb")


def read_plain(path: Path) -> bytes:
    """The whole of a plain file.

    Raises:
        OSError: If it is none, or cannot be read.
    """
    with open_plain(path) as file:
        return file.read()


def read_text(path: Path) -> str:
    """A text that somebody wrote, in UTF-8, with or without the mark that Windows puts before it.

    Raises:
        OSError: If it is no plain file, too large, or cannot be read.
        ValueError: If it is not UTF-8.
    """
    check_plain(path, MOST_TEXT)
    return read_plain(path).decode("utf-8-sig")


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        OSError: As ``read_text`` does.
        ValueError: If it is not TOML, or nested more deeply than anything here is.
    """
    return parse_toml(read_text(path))


def parse_toml(text: str) -> dict[str, Any]:
    """What a text in TOML says.

    Raises:
        ValueError: If it is not TOML, nested more deeply than anything here is, or a text in it holds what would be an
            order to a terminal.
    """
    if LONG_KEY.search(text):
        raise ValueError("it is nested too deeply")
    try:
        values = tomllib.loads(text.replace("\r\n", "\n"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    level: list[tuple[str, Any]] = list(values.items())
    for _ in range(DEEPEST):
        for name, value in level:
            if printable(name) != name or (isinstance(value, str) and printable(value) != value):
                raise ValueError(f"{printable(name)} holds a control character")
        level = [inner for name, value in level for inner in _parts(name, value)]
        if not level:
            return values
    raise ValueError("it is nested too deeply")


def _parts(name: str, value: object) -> list[tuple[str, Any]]:
    """What is in a value, by names for a sentence."""
    if isinstance(value, dict):
        return [(key, inner) for key, inner in value.items()]
    return [(name, inner) for inner in value] if isinstance(value, list) else []
