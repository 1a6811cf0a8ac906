"""Files declared equal: rewritten, and known to give the same numbers (``equal_code.toml``)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import ConfigError

KEYS = {"old", "new", "why"}
DIGEST = re.compile(r"[0-9a-f]{16}")


def first_of_equals(path: Path) -> Mapping[str, str]:
    """For each digest declared ``new``, the first of those that it equals.

    Raises:
        ConfigError: If the file cannot be read, or does not make sense.
    """
    try:
        about = path.stat()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    return _read(path, (about.st_mtime_ns, about.st_size))


@cache
def _read(path: Path, _looks: tuple[int, int]) -> Mapping[str, str]:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    entries = content.pop("equal", [])
    if content or not isinstance(entries, list):
        raise ConfigError(f"{path} may hold [[equal]] entries alone, and it holds {', '.join(content) or 'another'}")
    before: dict[str, str] = {}
    for entry in entries:
        _check(path, entry)
        if entry["new"] in before:
            raise ConfigError(
                f"{path} declares {entry['new']} equal to two others; keep one and let it equal the other"
            )
        before[entry["new"]] = entry["old"]
    return {new: _first(path, new, before) for new in before}


def _check(path: Path, entry: Any) -> None:
    if not isinstance(entry, dict) or entry.keys() != KEYS or not all(isinstance(text, str) for text in entry.values()):
        raise ConfigError(f"{path} has an entry that is not made of the texts old, new and why: {entry}")
    for key in ("old", "new"):
        if not DIGEST.fullmatch(entry[key]):
            raise ConfigError(f"{path} says {key} = '{entry[key]}', wanted 16 hexadecimal digits of a file")
    if not entry["why"].strip():
        raise ConfigError(f"{path} does not say why {entry['new']} gives the same numbers as {entry['old']}")


def _first(path: Path, new: str, before: Mapping[str, str]) -> str:
    seen = {new}
    while new in before:
        new = before[new]
        if new in seen:
            raise ConfigError(f"{path} declares {new} equal to itself by way of others; remove one of these entries")
        seen.add(new)
    return new
