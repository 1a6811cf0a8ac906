"""Packed files of others, ``.npz`` among them: what they unpack to has a limit, and never a path of its own."""

from __future__ import annotations

import gzip
import os
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


class Unpacked(gzip.GzipFile):
    """What a file holds that is packed by gzip, which says nothing of its size beforehand.

    Every read raises ValueError once more came out of it than any text or array packs to.
    """

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._packed = packed
        self._most = max(SMALL, MOST_TIMES * os.fstat(packed.fileno()).st_size)

    def read(self, size: int | None = -1) -> bytes:
        whole = size is None or size < 0
        return self._checked(super().read(self._most + 1 if whole else size))

    def read1(self, size: int = -1) -> bytes:
        return self._checked(super().read1(size))

    def close(self) -> None:
        super().close()
        self._packed.close()

    def _checked(self, content: bytes) -> bytes:
        if self.tell() > self._most:
            raise ValueError(
                f"it unpacks to more than {self._most / 1e9:.3g} GB, {MOST_TIMES} times its size; unpack it, and look"
            )
        return content
