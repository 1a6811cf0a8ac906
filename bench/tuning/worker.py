"""A process that takes trials, and how others know that it still lives."""

from __future__ import annotations

import uuid
from pathlib import Path

from filelock import FileLock

from bench.files import is_locked, lasting_name


class Worker:
    """A process that takes trials; alive for others as long as it holds its lock, whatever ends it."""

    def __init__(self, results: Path) -> None:
        self.folder = results / "tuning"
        self.locks = self.folder / "locks"
        self.locks.mkdir(parents=True, exist_ok=True)
        self.home = lasting_name(self.folder / "id", self.locks / "id.lock")
        self.name = uuid.uuid4().hex
        self._lock = FileLock(self._file(self.name))

    def __enter__(self) -> Worker:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._file(self.name).unlink(missing_ok=True)

    def alive(self, name: str) -> bool:
        """Whether the worker of this name still runs."""
        return name == self.name or is_locked(self._file(name))

    def _file(self, name: str) -> Path:
        return self.locks / f"worker-{name}.lock"
