"""Result records on disk: ``results/runs/<data set>/<model>/<run id>.json``, one file per run.

A record is a plain JSON object. It is written to a temporary file, synced and hard-linked into place, so that it
appears whole or not at all and never replaces another; two processes may race for a run, and one of them wins. A failed
run leaves ``<run id>.failed.json``, which a later attempt replaces and a finished run removes.
"""

from __future__ import annotations

import errno
import json
import os
import re
import reprlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Literal

import orjson
from filelock import FileLock

from bench.errors import StoreError
from bench.records.arrays import check_whole_numbers

SCHEMA = 2
KEYS = (
    "schema",
    "run_id",
    "code",
    "status",
    "role",
    "spec",
    "label",
    "data",
    "weights",
    "scores",
    "counts",
    "cost",
    "certificate",
    "windows",
    "environment",
    "curve",
    "error",
)
KINDS: Mapping[str, tuple[type, ...]] = {
    "a text": (str,),
    "true or false": (bool,),
    "a whole number of 64 bits": (int,),
    "a number": (int, float),
    "a number or null": (int, float, type(None)),
    "an object": (dict,),
    "an object or null": (dict, type(None)),
}
ALWAYS = {
    "spec.data.name": "a text",
    "spec.data.sha256": "a text",
    "spec.data.stand_in": "true or false",
    "spec.model": "a text",
    "spec.seed": "a whole number of 64 bits",
    "spec.task.name": "a text",
}
DONE = {
    **{
        f"scores.{split}.{metric}.overall": "a number or null"
        for split in ("test", "val")
        for metric in ("mae", "rmse")
    },
    "counts": "an object",
    "cost.work": "a number",
    "cost.wall_s": "a number",
    "certificate": "an object",
    "windows": "an object",
    "environment.device": "a text",
}
LATER = {"sample": "an object or null"}  # not in older records of this schema
FAILED = {"error.type": "a text", "error.message": "a text"}
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
RUN_ID = re.compile(r"[0-9a-f]{16}\.[0-9a-f]{12}")
NO_HARD_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK)

Record = dict[str, Any]


class ResultStore:
    """The records below one results folder; safe for several processes at once."""

    def __init__(self, results: Path) -> None:
        self._runs = results / "runs"
        self._locks = results / "locks"

    def has(self, dataset: str, model: str, run_id: str) -> bool:
        """Whether the run is done; a failed run is not."""
        return self._path(dataset, model, run_id, "done").exists()

    def write(self, record: Record) -> bool:
        """Store a done or failed run; False if the run was already done, whose record then stays as it is.

        Raises:
            StoreError: If the record is not plain JSON (NaN included), lacks a key, or cannot be written.
        """
        text = dump_record(record)
        dataset, model, run_id = _address(record)
        done = self._path(dataset, model, run_id, "done")
        failed = self._path(dataset, model, run_id, "failed")
        try:
            done.parent.mkdir(parents=True, exist_ok=True)
            if record["status"] == "failed":
                return not done.exists() and _replace(failed, text)
            won = self._create(done, text)
            failed.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(
                f"the record {done} cannot be written ({error}); check the folder's space and rights"
            ) from error
        return won

    def read(self, dataset: str, model: str, run_id: str) -> Record:
        """The run's record, the failed one if it is not done.

        Raises:
            StoreError: If there is none, or its file is broken.
        """
        done = self._path(dataset, model, run_id, "done")
        failed = self._path(dataset, model, run_id, "failed")
        record = _either(done, failed)
        if record is None:
            raise StoreError(f"there is no record {done}; 'stbench status' lists what the store has")
        return record

    def records(self) -> Iterator[Record]:
        """Every done run, and every failed run that is not done since, sorted by path.

        A record that another process takes away meanwhile is left out, a failure that it mends comes as a done run.

        Raises:
            StoreError: If a file is broken; the message names it.
        """
        for run in sorted({path.with_name(_run_id(path)) for path in self._runs.glob("*/*/*.json")}):
            record = _either(run.with_name(f"{run.name}.json"), run.with_name(f"{run.name}.failed.json"))
            if record is not None:
                yield record

    def retire(self, dataset: str, model: str, run_id: str) -> Path | None:
        """Move a done record to ``superseded/``, where it is kept but never loaded, so that the run can be repeated.

        Returns:
            The record's new place, or None if the run was not done.
        """
        done = self._path(dataset, model, run_id, "done")
        folder = done.parent / "superseded"
        if not done.exists():
            return None
        try:
            folder.mkdir(exist_ok=True)
            places = (folder / f"{run_id}.{number}.json" for number in count(1))
            place = next(place for place in places if self._move(done, place))
            _sync_folder(folder)
        except OSError as error:
            raise StoreError(
                f"the record {done} cannot be moved to {folder} ({error}); check the folder's rights"
            ) from error
        return place

    def lock(self, run_id: str) -> FileLock:
        """A lock that processes sharing this folder hold while they work on a run; it ends with its process."""
        self._locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self._locks / f"{_checked(RUN_ID, run_id)}.lock")

    def _path(self, dataset: str, model: str, run_id: str, status: Literal["done", "failed"]) -> Path:
        name = _checked(RUN_ID, run_id) + (".json" if status == "done" else ".failed.json")
        return self._runs / _checked(NAME, dataset) / _checked(NAME, model) / name

    def _create(self, target: Path, text: str) -> bool:
        temporary = _temporary(target, text)
        try:
            won = self._move(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(target.parent)
        return won

    def _move(self, source: Path, target: Path) -> bool:
        """Give a file a name that must be free; False if it is taken.

        A file system without hard links gets the same promise from a lock that all our processes take.
        """
        try:
            os.link(source, target)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_HARD_LINKS:
                raise
            self._locks.mkdir(parents=True, exist_ok=True)
            with FileLock(self._locks / "store.lock"):
                if target.exists():
                    return False
                source.replace(target)
        else:
            source.unlink()
        return True


def dump_record(record: Record) -> str:
    """The record's one canonical text: sorted keys, full precision, no NaN, whole numbers of 64 bits.

    Raises:
        StoreError: If it is not plain JSON of such numbers, or lacks a key that readers need.
    """
    name = record.get("run_id", "without a run id")
    try:
        check_whole_numbers(_complete(record))
        text = json.dumps(record, sort_keys=True, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the record {name} is not complete and plain JSON ({error}); numbers must be finite and of 64 bits, "
            "unknown ones null"
        ) from error
    return text + "\n"


def parse_record(text: str | bytes, source: object) -> Record:
    """The record in a text that ``dump_record`` made; ``source`` names it in errors.

    Raises:
        StoreError: If the text is no record of this version.
    """
    try:
        return _complete(_parsed(text))
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{source} is not a result record ({error}); move it away and run again") from error


def _parsed(text: str | bytes) -> object:
    """By orjson; what it refuses, such as half of a surrogate pair, by Python's own reader."""
    with suppress(orjson.JSONDecodeError):
        return orjson.loads(text)
    found: object = json.loads(text, parse_constant=_no_constant)
    check_whole_numbers(found)
    return found


def _complete(record: object) -> Record:
    if not isinstance(record, dict):
        raise ValueError(f"found {type(record).__name__}, wanted an object")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r}, wanted {SCHEMA}: another version of the harness made it")
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise ValueError(f"it lacks {', '.join(missing)}")
    if record["status"] not in ("done", "failed"):
        raise ValueError(f"status {record['status']!r}, wanted done or failed")
    wanted = ALWAYS | (DONE if record["status"] == "done" else FAILED)
    wanted |= {key: kind for key, kind in LATER.items() if key in record}
    faults = [fault for path, kind in wanted.items() if (fault := _fault(record, path, kind))]
    if faults:
        raise ValueError(faults[0])
    return record


def _fault(record: Record, path: str, kind: str) -> str:
    """What is wrong with the value at a dotted path; empty if nothing is."""
    value: object = record
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            return f"it lacks {path}"
        value = value[key]
    fits = isinstance(value, KINDS[kind]) and isinstance(value, bool) == (kind == "true or false")
    if fits and not (isinstance(value, int) and value.bit_length() > 63):
        return ""
    return f"its {path} is {reprlib.repr(value)}, wanted {kind}"


def _no_constant(name: str) -> None:
    raise ValueError(f"it contains {name}")


def _address(record: Mapping[str, Any]) -> tuple[str, str, str]:
    try:
        return record["spec"]["data"]["name"], record["spec"]["model"], record["run_id"]
    except (KeyError, TypeError) as error:
        raise StoreError(f"the record {record['run_id']} names no data set or no model ({error})") from error


def _run_id(path: Path) -> str:
    return path.name.removesuffix(".json").removesuffix(".failed")


def _either(done: Path, failed: Path) -> Record | None:
    """The done record, else the failed one; the done one is looked for again, as a retry may end in between."""
    found = (_load(path) for path in (done, failed, done))
    return next((record for record in found if record is not None), None)


def _load(path: Path) -> Record | None:
    """The record in a file; None if there is no such file (any more)."""
    try:
        record = parse_record(path.read_bytes(), path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"the record {path} cannot be read ({error}); check the folder's rights") from error
    if _address(record) != (path.parent.parent.name, path.parent.name, _run_id(path)):
        raise StoreError(f"{path} holds the record of run {record['run_id']}, not of its place; move it away")
    return record


def _checked(pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise StoreError(f"'{name}' cannot name a result; wanted {pattern.pattern}")
    return name


def _temporary(target: Path, text: str) -> Path:
    """A new synced file beside ``target``; hidden, and without the ending of a record."""
    path = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return path


def _replace(target: Path, text: str) -> bool:
    _temporary(target, text).replace(target)
    _sync_folder(target.parent)
    return True


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows has no handle to sync
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
