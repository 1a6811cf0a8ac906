"""What a file is in truth where something else was put, or sent, in its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

POINTER: Final = b"version https://git-lfs.github.com/spec/"  # begins the text that Git LFS keeps in place of a file
PAGE: Final = re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype html|html)\b", re.I | re.S)


def disguise(path: Path, name: str) -> str:
    """What a file of this name is in truth if it is nothing that was ever meant: "a web page", for one; else empty.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as stream:
        begin = stream.read(2048)
    if not begin:
        return "nothing"
    if begin.startswith(POINTER):
        return "a Git LFS pointer, not what it points to"
    return "a web page" if PAGE.match(begin) and not name.lower().endswith((".html", ".htm")) else ""
