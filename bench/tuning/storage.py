"""Where Optuna keeps studies: a journal file of ours, or a database by its URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from bench.errors import StoreError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """A database by its URL, or else the journal file.

    Raises:
        StoreError: If it cannot be opened.
    """
    import optuna

    from bench.mlflow_store import shown

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        if url is None:
            return _journal(journal)
        with FileLock(journal.parent.parent / "storage.lock"):  # it makes its tables, which two at once cannot
            return optuna.storages.RDBStorage(url)
    except Exception as error:  # a database's driver raises many kinds
        place = shown(url) if url else journal
        line = next(iter(str(error).splitlines()), "") or type(error).__name__
        reason = line.replace(url, shown(url)) if url else line
        raise StoreError(
            f"the studies at {place} cannot be opened ({reason}); give --storage another address, or mend this one"
        ) from error


def _journal(path: Path) -> BaseStorage:
    """Optuna's journal file behind a lock that ends with its process, without what a dying process wrote by half."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    class Lock(JournalFileOpenLock):
        def __init__(self) -> None:
            self._lock = FileLock(path.with_suffix(".lock"))

        def acquire(self) -> bool:
            self._lock.acquire()
            return True

        def release(self) -> None:
            self._lock.release()

    with FileLock(path.with_suffix(".lock")):
        if path.exists() and (text := path.read_bytes()) and not text.endswith(b"\n"):
            with path.open("r+b") as file:
                file.truncate(text.rfind(b"\n") + 1)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=Lock()))
