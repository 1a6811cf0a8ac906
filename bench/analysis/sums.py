"""A file of digests beside others, as ``sha256sum`` writes and checks it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bench.catalog.raw_files import digest_of
from bench.errors import StoreError
from bench.plain_files import read_plain

Content = bytes | Path
"""Of a file: all of it, or the file that it is a copy of, which may be large."""
SUMS: Final = "SHA256SUMS"


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
