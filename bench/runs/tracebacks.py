"""What scripts and notebooks are told of runs that fail: a sentence, and the whole traceback where it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bench.plain_text import printable
from bench.records.planned import PlannedRun
from bench.records.record import FailedRun, Record
from bench.records.store import ResultStore


class Failures:
    """An observer that notes what became of runs.

    Attributes:
        done: The runs that ended well.
        sentences: One for each run that failed.
    """

    def __init__(self) -> None:
        self.done: list[PlannedRun] = []
        self.sentences: list[str] = []

    def run_started(self, run: PlannedRun) -> None: ...

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None: ...

    def run_retried(self, run: PlannedRun, why: str) -> None: ...

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None: ...

    def run_finished(self, run: PlannedRun, record: Record) -> None:
        if isinstance(record, FailedRun):
            self.sentences.append(f"{run.title} failed: {record.error}")
        else:
            self.done.append(run)


class Tracebacks:
    """An observer that prints, to standard error, the log beside each failed record."""

    def __init__(self, results: Path) -> None:
        self._store = ResultStore(results)

    def run_started(self, run: PlannedRun) -> None: ...

    def epoch(self, run: PlannedRun, row: Mapping[str, float]) -> None: ...

    def run_retried(self, run: PlannedRun, why: str) -> None: ...

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None: ...

    def run_finished(self, run: PlannedRun, record: Record) -> None:  # noqa: ARG002 - an Observer's signature
        if isinstance(record, FailedRun) and (log := self._store.log(record)).is_file():
            print(printable(log.read_text(encoding="utf-8", errors="replace")), file=sys.stderr)
