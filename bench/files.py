"""Atomic writes: a file appears whole, on the disk, or not at all."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from filelock import FileLock, Timeout

NEVER: Final = 0  # when a file was last written
NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)
NETWORK: Final = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|lustre|gpfs|beegfs|orangefs|panfs|wekafs|glusterfs"
    r"|fuse\.(sshfs|glusterfs|cephfs|s3fs|rclone|juicefs|moosefs)"
)
"""Types of file systems that several machines see, as ``/proc/mounts`` names them."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A new name beside ``path`` to write to: at the end it takes the place of ``path``, and if anything fails it goes.

    The name is hidden and has no ending that anybody reads.

    Raises:
        OSError: If the folder cannot be made or the file cannot be put there.
    """
    with _part_of(path) as part:
        yield part
        _sync(part)
        if part.stat().st_mtime_ns == NEVER:
            raise FileNotFoundError(errno.ENOENT, "nothing was written", str(path))
        part.replace(path)
        _sync_folder(path.parent)


def create(path: Path, content: bytes, lock: Path) -> bool:
    """Write a file that must not be there yet, whatever other processes do; False if it is there and stays as it is.

    Args:
        path: The file.
        content: All of it.
        lock: A file that all writers of ``path`` lock on a file system without hard links.

    Raises:
        OSError: If the folder cannot be made or the file cannot be written.
    """
    with _part_of(path) as part:
        part.write_bytes(content)
        _sync(part)
        return move(part, path, lock)


def move(source: Path, target: Path, lock: Path) -> bool:
    """Give a file a name that must be free; False if it is taken, and then nothing is changed.

    Raises:
        OSError: If the file cannot be moved.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if target.exists():
                return False
            source.replace(target)
    else:
        source.unlink()
    _sync_folder(target.parent)
    return True


def lasting_name(path: Path, lock: Path) -> str:
    """The name of the folder that holds a file with it: drawn once, whatever becomes of the folder's path.

    Raises:
        OSError: If the file cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        if not path.exists():
            with atomic_write(path) as part:
                part.write_text(uuid4().hex, encoding="ascii")
        return path.read_text(encoding="ascii")


def is_locked(lock: Path) -> bool:
    """Whether a process that lives holds this lock; no file is made to find that out."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def network_file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str | None:
    """The type of the network file system that a path lies on, such as "nfs4"; None if it is local or not known.

    Args:
        path: A file or folder, which need not be there yet.
        mounts: Where the system lists what is mounted; only Linux has it.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    asked, holder, kind = path.resolve(), Path("/"), ""
    for _, point, name, *_ in (line.split(" ") for line in lines):
        folder = Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), point))
        if asked.is_relative_to(folder) and folder.is_relative_to(holder):  # of several on one folder the last holds
            holder, kind = folder, name
    return kind if NETWORK.fullmatch(kind) else None


@contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{uuid4().hex}.tmp")
    with _held(part, os.O_RDWR | os.O_CREAT):
        try:
            if part.exists():  # made to be locked
                os.utime(part, ns=(NEVER, NEVER))
            yield part
        finally:
            part.unlink(missing_ok=True)


def sweep(folders: Iterable[Path]) -> None:
    """Remove what ``atomic_write`` and ``create`` left below these folders in processes that were killed."""
    walked = (found for folder in folders for found in os.walk(folder))
    names = ((Path(folder), name) for folder, _, files in walked for name in files)
    for part in (folder / name for folder, name in names if name.startswith(".") and name.endswith(".tmp")):
        with suppress(OSError), _held(part, os.O_RDWR) as nobody_writes:
            if nobody_writes:
                journal_of(part).unlink(missing_ok=True)
                part.unlink(missing_ok=True)


def journal_of(data_base: Path) -> Path:
    """Where SQLite keeps what it has not finished writing."""
    return data_base.with_name(f"{data_base.name}-journal")


@contextmanager
def held_file(path: Path) -> Iterator[Path]:
    """An empty file of a hidden name that ``sweep`` leaves alone so long as this process lives; it goes at the end."""
    with _held(path, os.O_RDWR | os.O_CREAT):
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _held(part: Path, how: int) -> Iterator[bool]:
    """Open and lock a file, so that others see that a process is at it; False if another one is, or nobody can tell."""
    if sys.platform == "win32":
        yield False
        return
    import fcntl

    handle = os.open(part, how, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except OSError:
            locked = False
        yield locked
    finally:
        os.close(handle)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
