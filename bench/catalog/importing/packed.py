"""Files that may be packed by gzip."""

from __future__ import annotations

from pathlib import Path
from typing import IO, cast

from bench.archives import Unpacked
from bench.plain_files import open_plain


def open_unpacked(path: Path, stream: IO[bytes] | None = None) -> IO[bytes]:
    """The bytes of a file, of ``stream`` if it is open, unpacked if its name ends in ``.gz``.

    Raises:
        OSError: If it cannot be opened.
    """
    opened = stream or open_plain(path)
    return cast("IO[bytes]", Unpacked(opened)) if path.suffix.lower() == ".gz" else opened
