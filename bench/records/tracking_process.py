"""MLflow in a process beside the runs: to import it and to open its store takes seconds of computing.

The driver sends what happens to runs as lines of JSON, and the process, ``python -m bench.records.tracking_process``,
follows it with a ``Tracker``. It gives way to other processes, outlives a driver that is killed by as long as it has
something to write, and answers with sentences to be shown.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from msgspec import Struct

from bench.records.mlflow_address import quiet_environment, shown, sync_command
from bench.records.mlflow_command import Command
from bench.records.planned import PlannedRun
from bench.records.record import Record
from bench.records.spec import Label, Spec
from bench.records.tracking import CLOSE_S, Tracker

ROOT = Path(__file__).resolve().parents[2]  # of the package, wherever it is imported from
SOON_S = 1.0  # what is waited for without a word
NICE = 5  # how far it gives way


class Place(Struct, frozen=True):
    """Where to write."""

    uri: str
    results: str
    command: Command | None = None


class Started(Struct, frozen=True, tag=True):
    """A run has begun."""

    run_id: str
    spec: Spec
    label: Label
    at: float


class Ended(Struct, frozen=True, tag=True):
    """An epoch of a run has ended."""

    run_id: str
    row: dict[str, float]


class Finished(Struct, frozen=True, tag=True):
    """A run has a record; ``own`` says whether it needs a file of the user's own."""

    record: Record
    own: bool = False


class Written(Struct, frozen=True, tag=True):
    """The command has written tables and figures."""

    files: tuple[str, ...]


class Closed(Struct, frozen=True, tag=True):
    """The command has ended; without this it was killed."""

    status: Literal["FINISHED", "KILLED"]


class TrackerBeside:
    """An observer of runs that has a process write them to MLflow; ``close`` it, or use it in a ``with``.

    The process is started when the first run begins.

    Args:
        uri: A tracking store.
        results: The results folder.
        warn: Called, in a thread, with one sentence when MLflow was mended, does not work, or lasts.
        command: What makes the runs; they become children of a run of it.
        own: Whether the run of a record needs a file of the user's own.
    """

    def __init__(
        self,
        uri: str,
        results: Path,
        *,
        warn: Callable[[str], None],
        command: Command | None = None,
        own: Callable[[Record], bool] = lambda _: False,
    ) -> None:
        self._place, self._warn = Place(uri=uri, results=str(results), command=command), warn
        self._own = own
        self._messages: queue.SimpleQueue[Struct | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._sync, self._told_to_sync = sync_command(uri, results), False

    def __enter__(self) -> TrackerBeside:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.close("FINISHED" if error is None else "KILLED")

    def run_started(self, run: PlannedRun) -> None:
        self._send(Started(run_id=run.run_id, spec=run.spec, label=run.label, at=time.time()))

    def epoch(self, run: PlannedRun, row: Mapping[str, Any]) -> None:
        self._send(Ended(run_id=run.run_id, row=dict(row)))

    def run_finished(self, run: PlannedRun, record: Record) -> None:  # noqa: ARG002 - an Observer's signature
        self._send(Finished(record=record, own=self._own(record)))

    def run_retried(self, run: PlannedRun, why: str) -> None:
        """It goes on where it is in MLflow."""

    def run_skipped(self, run: PlannedRun, why: Literal["stored", "elsewhere"]) -> None:
        """Nothing to track."""

    def files_written(self, files: Iterable[Path]) -> None:
        """Keep tables and figures as artefacts of the command's run, if it made any run."""
        if self._process is not None:
            self._send(Written(files=tuple(str(file.resolve()) for file in files)))

    def close(self, status: Literal["FINISHED", "KILLED"] = "FINISHED") -> None:
        """Wait until MLflow has everything, but not for long; ``status`` says how the command ended."""
        if (process := self._process) is None:
            return
        told_before = self._told_to_sync  # before the process learns of the end, on which it may tell it, too
        self._send(Closed(status=status))
        self._messages.put(None)
        try:
            process.wait(SOON_S)
        except subprocess.TimeoutExpired:
            if not told_before:
                rest = "; everything else is done" if status == "FINISHED" else ""
                self._warn(f"still writing the runs to MLflow, {shown(self._place.uri)}{rest}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_S + 2 * SOON_S)  # it says itself that it is too slow
        process.kill()
        failed = process.wait()
        for thread in self._threads:
            thread.join(SOON_S)
        if told_before:  # other lines stand between
            self._warn(f"not all of it is in MLflow; this fills in what is missing there: {self._sync}")
        elif failed and not self._told_to_sync:
            self._warn(
                f"the process that writes to MLflow was ended; this fills in what is missing there: {self._sync}"
            )
        self._process = None

    def _send(self, message: Struct) -> None:
        if self._process is None:
            self._start()
        self._messages.put(message)

    def _start(self) -> None:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__],
            env={**quiet_environment(), "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._messages.put(self._place)
        for work, stream in ((self._write, process.stdin), (self._read, process.stdout)):
            thread = threading.Thread(target=work, args=(stream,), name="mlflow", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _write(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError), stream:  # a process that has died takes nothing
            while (message := self._messages.get()) is not None:
                stream.write(msgspec.json.encode(message) + b"\n")
                stream.flush()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                sentence = line.decode().strip()
                self._told_to_sync |= self._sync in sentence
                self._warn(sentence)


def main() -> None:
    """What the process does: follow the lines of its input until they end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the driver, and that the input
    with contextlib.suppress(OSError, AttributeError):
        os.nice(NICE)
    lines = sys.stdin.buffer
    place = msgspec.json.decode(lines.readline(), type=Place)
    decoder = msgspec.json.Decoder(Started | Ended | Finished | Written | Closed)
    tracker = Tracker(place.uri, Path(place.results), warn=lambda text: print(text, flush=True), command=place.command)
    status: Literal["FINISHED", "KILLED"] = "KILLED"
    try:
        known: dict[str, Started] = {}
        for line in lines:
            match decoder.decode(line):
                case Started() as run:
                    known[run.run_id] = run
                    tracker.run_started(run, run.at)
                case Ended(run_id=run_id, row=row):
                    tracker.epoch(known[run_id], row)
                case Finished(record=record, own=own):
                    tracker.run_finished(known.pop(record.run_id), record, own=own)
                case Written(files=files):
                    tracker.files_written(map(Path, files))
                case Closed(status=status):
                    break
    finally:
        tracker.close(status)


if __name__ == "__main__":
    main()
