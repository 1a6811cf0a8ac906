"""The whole traceback of an error: from the process that raised it to a log beside the failed record.

It names files of this machine, so it stands in no record, and goes into no table, report, supplement or database.
"""

from __future__ import annotations

import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec
from msgspec import UNSET

from bench.files import atomic_write
from bench.records.record import FailedRun, Failure, Record

MOST: Final = 200_000  # letters of its begin, and as many of its end


def traceback_of(error: BaseException) -> str:
    """As Python prints it, with what it came from; the middle of a very long one is left out."""
    text = "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace").decode()
    left_out = len(text) - 2 * MOST
    return text if left_out <= 0 else f"{text[:MOST]}\n... {left_out} letters left out ...\n{text[-MOST:]}"


def log_text(title: str, failure: Failure) -> str:
    """A log, which begins with what failed; of a process that left no traceback it has the reason."""
    told = failure.traceback if isinstance(failure.traceback, str) else f"{failure}\n"
    return f"{title}\n\n{told}"


def write_log(path: Path, title: str, failure: Failure) -> None:
    """Write a log, if that is possible: a run does not fail in another way since its log cannot be written."""
    with suppress(OSError), atomic_write(path) as part:
        part.write_text(log_text(title, failure), encoding="utf-8")


def without_traceback(record: Record) -> Record:
    """A record as it is stored and shown."""
    if not isinstance(record, FailedRun) or record.error.traceback is UNSET:
        return record
    return msgspec.structs.replace(record, error=msgspec.structs.replace(record.error, traceback=UNSET))
