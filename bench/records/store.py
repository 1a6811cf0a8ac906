"""Records on disk: ``results/runs/<data set>/<model>/<run id>.json``, one file per run.

A record appears whole or not at all and never replaces another: two processes may race for a run, and one of them wins.
A failed run leaves ``<run id>.failed.json``, which a later attempt replaces and a finished run removes, and beside it a
log with the traceback.

A file that is no record which can be read here (cut off, foreign, of a newer version) stops nobody: its run counts as
not done, and once it was made again the file is kept in ``set-aside/`` beside its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from bench.errors import RecordError, StoreError, unwritten
from bench.files import atomic_write, create, move, sweep
from bench.records.failure_log import without_traceback, write_log
from bench.records.glance import Glance, glance
from bench.records.record import Record, dump, parse

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
RUN_ID = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{12}")
SET_ASIDE, SUPERSEDED = "set-aside", "superseded"  # folders beside records, which nothing is read from
R = TypeVar("R", Record, Glance)
Unread = Callable[[StoreError], None]
"""Told of a file that is no record which can be read."""


class ResultStore:
    """The records below one results folder; safe for several processes at once."""

    def __init__(self, results: Path) -> None:
        self._results, self._runs = results, results / "runs"
        self._locks = results / "locks"

    def has(self, dataset: str, model: str, run_id: str) -> bool:
        """Whether the run is done, by a record that can be read; a failed run is not."""
        done = self._path(dataset, model, run_id, "done")
        return os.path.lexists(done) and _trouble(done) is None

    def trouble(self, dataset: str, model: str, run_id: str) -> str | None:
        """Why the done record of a run cannot be read, and where it is kept; None if it can, or there is none."""
        done = self._path(dataset, model, run_id, "done")
        what = _trouble(done)
        return what and f"{what}; once the run is done, the file is kept in {done.parent / SET_ASIDE}"

    def failure(self, dataset: str, model: str, run_id: str) -> tuple[int, int] | None:
        """What tells the file of a run's failed record from that of an earlier attempt; None if there is none."""
        try:
            about = self._path(dataset, model, run_id, "failed").stat()
        except FileNotFoundError:
            return None
        return about.st_ino, about.st_mtime_ns

    def write(self, record: Record) -> bool:
        """Store a done or failed run; False if the run was already done, whose record then stays as it is.

        A file in its place that is no record is set aside.

        Raises:
            StoreError: If the record has a value that none can hold, or cannot be written.
        """
        text, log = dump(without_traceback(record)), self.log(record)
        done, failed = (self._path(record.dataset, record.model, record.run_id, s) for s in ("done", "failed"))
        try:
            if record.status == "failed":
                if self.has(record.dataset, record.model, record.run_id):
                    return False
                self._clear(failed)
                with atomic_write(failed) as part:
                    part.write_bytes(text)
                write_log(log, f"{record.model} on {record.dataset}, seed {record.seed}", record.error)
                return True
            created = self._create(done, text)
            self._clear(failed)
            failed.unlink(missing_ok=True)
            log.unlink(missing_ok=True)
        except OSError as error:
            raise unwritten(f"the record {done}", error) from error
        return created

    def log(self, record: Record) -> Path:
        """Where the whole error of a failed run is."""
        return self._path(record.dataset, record.model, record.run_id, "failed").with_suffix(".log")

    def read(self, dataset: str, model: str, run_id: str) -> Record:
        """The run's record, the failed one if it is not done.

        Raises:
            StoreError: If there is none, or its file is broken.
        """
        done, failed = (self._path(dataset, model, run_id, status) for status in ("done", "failed"))
        record = _either(done, failed, parse)
        if record is None:
            raise StoreError(f"there is no record {done}; 'stbench status' lists what the store has")
        return record

    def records(self, unread: Unread | None = None) -> Iterator[Record]:
        """Every done run, and every failed run that is not done since, sorted by path.

        A record that another process takes away meanwhile is left out, a failure that it mends comes as a done run.

        Args:
            unread: Told of each file that is no record; such files are left out. Without it the first one is an error.

        Raises:
            StoreError: If a file is broken and there is no ``unread``; the message names it.
        """
        return self._each(parse, unread)

    def glances(self, unread: Unread | None = None) -> Iterator[Glance]:
        """What planning asks of each record of ``records``, in a third of the time; what it does not ask may be broken.

        Raises:
            StoreError: If a file is broken and there is no ``unread``; the message names it.
        """
        return self._each(glance, unread)

    def _each(self, read: Callable[[bytes, object], R], unread: Unread | None) -> Iterator[R]:
        for run in sorted({path.with_name(_run_id(path)) for path in self._runs.glob("*/*/*.json")}):
            record = _either(
                run.with_name(f"{run.name}.json"), run.with_name(f"{run.name}.failed.json"), read, unread or _refuse
            )
            if record is not None:
                yield record

    def retire(self, dataset: str, model: str, run_id: str) -> Path | None:
        """Move a done record to ``superseded/``, where it is kept but never loaded, so that the run can be repeated.

        Returns:
            Where the record is now, or None if the run was not done.
        """
        done = self._path(dataset, model, run_id, "done")
        return self._put_aside(done, SUPERSEDED) if done.exists() else None

    def retire_spec(self, dataset: str, model: str, spec_id: str) -> None:
        """Move the done records of a specification to ``superseded/``, whichever code answered it."""
        folder = self._runs / _checked(NAME, dataset) / _checked(NAME, model)
        for run_id in sorted({_run_id(path) for path in folder.glob(f"{spec_id}.*.json")}):
            self.retire(dataset, model, run_id)

    def retire_external(self, record: Record) -> None:
        """Move to ``superseded/`` what a record of forecasts made elsewhere takes the place of.

        That is any of the same name, data, task and seed, of other forecasts or scored by other code.
        """
        spec, folder = record.spec, self._path(record.dataset, record.model, record.run_id, "done").parent
        for run_id in sorted({_run_id(path) for path in folder.glob("*.json")} - {record.run_id}):
            with suppress(StoreError):  # what is no record is nobody's
                other = self.read(record.dataset, record.model, run_id)
                same = (other.spec.data, other.spec.task, other.seed) == (spec.data, spec.task, spec.seed)
                if other.external and same:
                    self.retire(record.dataset, record.model, run_id)

    def _create(self, done: Path, text: bytes) -> bool:
        """Store a done record; False if there is one already that can be read."""
        lock = self._locks / "store.lock"
        if create(done, text, lock):
            return True
        if _trouble(done) is None:
            return False
        self._put_aside(done, SET_ASIDE)
        return create(done, text, lock)

    def _clear(self, failed: Path) -> None:
        """Set a file aside that is in the place of a failed record and is none."""
        if _trouble(failed) is not None:
            self._put_aside(failed, SET_ASIDE)

    def _put_aside(self, path: Path, name: str) -> Path:
        """Move a file to a folder beside it, where nothing is replaced."""
        folder, stem = path.parent / name, path.name.removesuffix(".json")
        try:
            folder.mkdir(exist_ok=True)
            places = (folder / f"{stem}.{number}.json" for number in count(1))
            return next(place for place in places if move(path, place, self._locks / "store.lock"))
        except OSError as error:
            raise StoreError(
                f"the record {path} cannot be moved to {folder} ({error}); check the folder's rights"
            ) from error

    def lock(self, run_id: str) -> FileLock:
        """A lock that processes sharing this folder hold while they work on a run; it ends with its process."""
        self._locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self._locks / f"{_checked(RUN_ID, run_id)}.lock")

    def release(self, lock: FileLock) -> None:
        """Give a lock that is held back, and remove its file."""
        with suppress(OSError):  # such as on a system that removes no open file
            Path(lock.lock_file).unlink()
        lock.release()

    def sweep(self) -> None:
        """Remove what processes that were killed left below the results folder: parts of files, and locks."""
        sweep([self._results])
        for path in (*self._locks.glob("*.lock"), *self._results.glob("tuning/locks/worker-*.lock")):
            lock = FileLock(path)
            with suppress(Timeout, OSError):
                lock.acquire(timeout=0)
                self.release(lock)

    def _path(self, dataset: str, model: str, run_id: str, status: str) -> Path:
        name = _checked(RUN_ID, run_id) + (".json" if status == "done" else ".failed.json")
        return self._runs / _checked(NAME, dataset) / _checked(NAME, model) / name


def refuse_file(results: Path) -> None:
    """Refuse a results folder that cannot be one, as its path is that of a file or leads through one.

    Raises:
        StoreError: If it is so.
    """
    place = next((each for each in (results, *results.parents) if each.exists()), results)
    if place.exists() and not place.is_dir():
        raise StoreError(
            f"the results folder {results} cannot be a folder, since {place} is a file; name another by --results, or "
            "results="
        )


def _run_id(path: Path) -> str:
    return path.name.removesuffix(".json").removesuffix(".failed")


def _refuse(error: StoreError) -> None:
    raise error


def _either(done: Path, failed: Path, read: Callable[[bytes, object], R], unread: Unread = _refuse) -> R | None:
    """The done record, else the failed one; the done one is looked for again, as a retry may end in between."""
    broken: list[Path] = []
    for path in (done, failed, done):
        if path in broken:
            continue
        try:
            record = _load(path, read)
        except StoreError as error:
            broken.append(path)
            unread(error)
        else:
            if record is not None:
                return record
    return None


def _trouble(path: Path) -> str | None:
    """Why a file is no record that can be read, without a remedy; None if it is one, or there is none."""
    try:
        _load(path, parse)
    except RecordError as error:
        return error.what
    except StoreError as error:
        return str(error)
    return None


def _load(path: Path, read: Callable[[bytes, object], R]) -> R | None:
    """The record in a file; None if there is no such file (any more)."""
    try:
        if not path.is_file() and os.path.lexists(path):  # a pipe would be waited for
            raise RecordError(f"{path} is no file", "move it away")
        record = read(path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the record {path} cannot be read ({error}); check the folder's rights") from error
    if (record.dataset, record.model, record.run_id) != (path.parent.parent.name, path.parent.name, _run_id(path)):
        raise RecordError(f"{path} holds the record of run {record.run_id}, which belongs elsewhere", "move it away")
    return record


def _checked(pattern: re.Pattern[str], name: str) -> str:
    if not pattern.fullmatch(name):
        raise StoreError(f"{name!r} cannot name a result; use letters, digits, '_', '-' and '.', such as my_model")
    return name
