"""Files that are written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A new name beside ``path`` to write to: at the end it takes the place of ``path``, and if anything fails it goes.

    Raises:
        OSError: If the folder cannot be made or the file cannot be put there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.tmp")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
