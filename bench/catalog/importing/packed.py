"""Files that may be packed by gzip."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO, cast


def open_unpacked(path: Path, stream: IO[bytes] | None = None) -> IO[bytes]:
    """The bytes of a file, of ``stream`` if it is open, unpacked if its name ends in ``.gz``.

    Raises:
        OSError: If it cannot be opened.
    """
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(stream or path))
    return stream or path.open("rb")
