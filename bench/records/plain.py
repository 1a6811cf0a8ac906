"""Plain values as JSON holds them: finite numbers of 64 bits, texts that UTF-8 can hold, and little nesting."""

from __future__ import annotations

import math
from typing import Annotated, TypeAlias

from msgspec import Meta

DEEPEST = 32  # levels of nesting
LONGEST = 240  # characters of a reason
LARGEST = 2**63 - 1
Whole: TypeAlias = Annotated[int, Meta(ge=-LARGEST, le=LARGEST)]  # of 64 bits


def check(value: object, path: str, level: int = 0) -> None:
    """Look through a value, however nested; ``path`` names it in errors.

    Raises:
        ValueError: If a part of it cannot be written, or would be read back as another value.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not finite - at `{path}`")
    elif isinstance(value, int):
        if not -LARGEST <= value <= LARGEST:
            raise ValueError(f"a whole number needs more than 64 bits - at `{path}`")
    elif isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, (dict, list, tuple)):
        _check_parts(value, path, level)
    elif value is not None and not isinstance(value, bytes):
        raise ValueError(f"a value is of the type {type(value).__name__} - at `{path}`")


def one_line(error: object) -> str:
    """An error's text in one printable line, shortened."""
    line = "".join(sign if sign.isprintable() else " " for sign in " ".join(str(error).split()))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _check_parts(value: dict[object, object] | list[object] | tuple[object, ...], path: str, level: int) -> None:
    if level == DEEPEST:
        raise ValueError(f"values are nested deeper than {DEEPEST} levels - at `{path}`")
    if not isinstance(value, dict):
        for number, part in enumerate(value):
            check(part, f"{path}[{number}]", level + 1)
        return
    for key, part in value.items():
        if not isinstance(key, str):
            raise ValueError(f"a key is of the type {type(key).__name__} - at `{path}`")
        _check_text(key, path)
        check(part, f"{path}.{key}", level + 1)


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"a text cannot be written as UTF-8 - at `{path}`") from None
