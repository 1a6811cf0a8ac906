"""Where Optuna keeps studies: a journal file of ours, or a database by its URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from bench.errors import StoreError
from bench.records.mlflow_address import first_line, shown

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """A database by its URL, or else the journal file.

    Raises:
        StoreError: If it cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        if url is None:
            return _journal(journal)
        with FileLock(journal.parent.parent / "storage.lock"):  # it makes its tables, which two at once cannot
            return optuna.storages.RDBStorage(url)
    except Exception as error:  # a database's driver raises many kinds
        address = shown(url) if url else journal
        raise StoreError(
            f"the studies at {address} cannot be opened ({first_line(error, url)}); give --storage, or storage=, "
            "another address, or mend this one"
        ) from error


@contextmanager
def one_sentence(url: str | None) -> Iterator[None]:
    """While a study is read or written.

    Raises:
        StoreError: If its storage fails.
    """
    from json import JSONDecodeError

    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, OSError, KeyError, JSONDecodeError) as error:
        raise StoreError(
            f"the storage of the studies failed ({first_line(error.__cause__ or error, url)}); "
            "what is finished is kept there, and the same command goes on when it works again"
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
