"""Zip archives of others, ``.npz`` among them: what they unpack to is looked at before anything is unpacked."""

from __future__ import annotations

import zipfile
from typing import IO, Final

MOST_MEMBERS: Final = 10_000
SMALL: Final = 1 << 28  # bytes that any member may unpack to
MOST_TIMES: Final = 100  # how much larger than in the archive a larger one may be


def open_zip(stream: IO[bytes]) -> zipfile.ZipFile:
    """An archive whose members are of sizes that measured arrays have; nothing in it is ever written to a disk.

    Raises:
        ValueError: If it holds more members, or larger ones.
        zipfile.BadZipFile, OSError: If it is no archive.
    """
    archive = zipfile.ZipFile(stream)
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise ValueError(f"it holds {len(members)} files, and no archive of more than {MOST_MEMBERS} is read")
    for member in members:
        if member.file_size > max(SMALL, MOST_TIMES * member.compress_size):
            raise ValueError(
                f"{member.filename[:80]} in it unpacks to {member.file_size / 1e9:.3g} GB, more than {MOST_TIMES} "
                "times its size there"
            )
    return archive
