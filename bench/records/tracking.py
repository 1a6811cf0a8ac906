"""MLflow beside a run: fed live, filled in from the store afterwards, and read back as records.

Tracking never fails or stalls a run: a thread of its own does the talking, an error is reported once, and what could
not be written is left to ``sync``.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

from bench.records.mlflow_address import shown, sync_command
from bench.records.mlflow_client import silent
from bench.records.mlflow_command import Command, CommandRun
from bench.records.mlflow_problems import one_sentence, problem
from bench.records.mlflow_store import DIGEST, RUN_ID, MlflowStore, digest
from bench.records.record import Epoch, Record, dump
from bench.records.spec import Label, Spec

FLUSH_S = 2.0  # epochs are sent together when they are faster than this
PAUSE_S = 60.0  # after an error nothing is tried for so long
CLOSE_S = 60.0  # what MLflow may cost at the end

S = TypeVar("S")


class Feed(Generic[S]):
    """A thread that hands jobs to a tracking store one after the other, whatever becomes of it.

    Args:
        uri: Its address, for messages.
        results: The results folder, for messages.
        connect: Opens the store; called again after an error.
        warn: Called once, with one sentence, when MLflow does not work.
        lost: Called in the thread after an error.
    """

    def __init__(
        self,
        uri: str,
        results: Path,
        connect: Callable[[], S],
        *,
        warn: Callable[[str], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._uri, self._connect, self._warn, self._lost = uri, connect, warn, lost
        self._remedy = sync_command(uri, results)
        self._jobs: queue.SimpleQueue[Callable[[S], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._warned = False

    @property
    def begun(self) -> bool:
        """Whether there was any job."""
        return self._thread is not None

    def post(self, job: Callable[[S], None]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def close(self) -> None:
        """Wait until MLflow has everything, but not for long."""
        if self._thread is None:
            return
        self._jobs.put(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._tell(f"MLflow at {shown(self._uri)} is too slow")
        self._thread = None

    def _work(self) -> None:
        store, resume = None, 0.0
        while (job := self._jobs.get()) is not None:
            if time.monotonic() < resume:
                continue
            try:
                store = store or self._connect()
                job(store)
            except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the runs go on
                store, resume = None, time.monotonic() + PAUSE_S
                self._lost()
                self._tell(problem(error, self._uri))

    def _tell(self, sentence: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(
                f"{sentence}; no run is lost by it, and this fills in later what is missing there: {self._remedy}"
            )


class Followed(Protocol):
    """What is asked of a planned run."""

    @property
    def run_id(self) -> str: ...

    @property
    def spec(self) -> Spec: ...

    @property
    def label(self) -> Label: ...


class Tracker:
    """An observer of runs that writes them to MLflow; ``close`` it, or use it in a ``with``.

    Args:
        uri: A tracking store, such as ``default_uri(results)``.
        results: The results folder; artefacts of a store without a server lie in its ``mlartifacts``.
        warn: Called with a sentence when MLflow was mended, and once when it does not work.
        command: What makes the runs; they become children of a run of it.
    """

    def __init__(self, uri: str, results: Path, *, warn: Callable[[str], None], command: Command | None = None) -> None:
        self._open: dict[str, str] = {}  # our run id → MLflow's; touched by the thread alone
        self._feed = Feed(uri, results, lambda: MlflowStore.open(uri, results, warn), warn=warn, lost=self._open.clear)
        self._epochs: dict[str, list[Epoch]] = {}  # by our run id; several runs may be under way
        self._flushed = 0.0
        self._parent = None if command is None else _Parent(command)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.close("FINISHED" if error is None else "KILLED")

    def run_started(self, run: Followed, at: float | None = None) -> None:
        """Begin a run; ``at`` is when it began, in seconds since 1970, now if it is None."""
        began = time.time() if at is None else at
        if self._parent is not None:
            self._parent.began = self._parent.began or began

        def start(store: MlflowStore) -> None:
            self._open[run.run_id] = store.start(run.run_id, run.spec, run.label, self._parent_in(store), began)

        self._epochs[run.run_id] = []
        self._feed.post(start)

    def epoch(self, run: Followed, row: Mapping[str, Any]) -> None:
        self._epochs[run.run_id].append(Epoch(**{**row, "epoch": int(row["epoch"])}))  # a server takes no 1.0
        if time.monotonic() - self._flushed < FLUSH_S:
            return
        waiting = {run_id: rows for run_id, rows in self._epochs.items() if rows}
        self._epochs |= {run_id: [] for run_id in waiting}
        self._flushed = time.monotonic()

        def log(store: MlflowStore) -> None:
            for run_id, rows in waiting.items():
                if run_id in self._open:
                    store.log_epochs(self._open[run_id], rows)

        self._feed.post(log)

    def run_finished(self, run: Followed, record: Record, *, own: bool = False) -> None:
        """Complete the run, whatever of it arrived so far; ``own`` says whether it needs a file of the user's own."""
        run_id = run.run_id
        self._epochs.pop(run_id, None)

        def finish(store: MlflowStore) -> None:
            _logged(store, record, self._parent, self._open.pop(run_id, None), own=own)

        self._feed.post(finish)

    def run_retried(self, run: Followed, why: str) -> None:
        """It goes on where it is in MLflow."""

    def run_skipped(self, run: Followed, why: Literal["stored", "elsewhere"]) -> None:
        """Nothing to track."""

    def files_written(self, files: Iterable[Path]) -> None:
        """Keep tables and figures as artefacts of the command's run."""
        kept = tuple(files)

        def log(store: MlflowStore) -> None:
            if (parent := self._parent_in(store)) is not None:
                parent.log_files(kept)

        self._feed.post(log)

    def close(self, status: Literal["FINISHED", "KILLED"] = "FINISHED") -> None:
        """Wait until MLflow has everything, but not for long; ``status`` says how the command ended."""
        if (parent := self._parent) is not None and self._feed.begun:
            then = time.time()
            self._feed.post(lambda _: parent.end(_outcome(status, parent.counts), then))
        self._feed.close()

    def _parent_in(self, store: MlflowStore) -> CommandRun | None:
        return None if self._parent is None else self._parent.begun_in(store)


class _Parent:
    """The run of a command, begun with the first run that it makes; touched by the thread of a feed alone."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._run: CommandRun | None = None
        self.began: float | None = None
        self.counts: Counter[str] = Counter(done=0, failed=0)

    def begun_in(self, store: MlflowStore) -> CommandRun:
        self._run = self._run or store.begin(self._command, self.began)
        return self._run

    def end(self, status: Literal["FINISHED", "FAILED", "KILLED"], at: float | None = None) -> None:
        if self._run is not None:
            self._run.end(status, self.counts, at)


def _outcome(status: Literal["FINISHED", "KILLED"], counts: Counter[str]) -> Literal["FINISHED", "FAILED", "KILLED"]:
    """A command that ended in order has failed if a run of it has."""
    return "FAILED" if status == "FINISHED" and counts["failed"] else status


def sync(
    records: Iterable[Record],
    uri: str,
    results: Path,
    *,
    command: Command | None = None,
    files: Iterable[Path] = (),
    say: Callable[[str], None] = silent,
    own: Callable[[Record], bool] = lambda _: False,
) -> tuple[int, int]:
    """Log every record that MLflow does not have in exactly this form.

    Args:
        records: Of the results folder.
        uri: A tracking store.
        results: The results folder.
        command: What logs them; they become children of a run of it.
        files: Tables and figures that are kept as artefacts of that run, if anything is added.
        say: Told in a sentence what was mended in MLflow.
        own: Whether the run of a record needs a file of the user's own.

    Returns:
        How many were added, and how many were there.

    Raises:
        TrackingError: If MLflow cannot be used.
    """
    added = present = 0
    parent = None if command is None else _Parent(command)
    with one_sentence(uri):
        store = MlflowStore.open(uri, results, say)
        known = {run.data.tags[DIGEST] for run in store.logged()}
        with _ended(parent):
            for record in records:
                if digest(dump(record)) in known or not _logged(store, record, parent, own=own(record)):
                    present += 1
                else:
                    added += 1
            if added and parent is not None:
                parent.begun_in(store).log_files(files)
    return added, present


@contextmanager
def _ended(parent: _Parent | None) -> Iterator[None]:
    """A command's run that ends with the block, in the way that it ends."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # what ends the block is the news
            if parent is not None:
                parent.end("KILLED")
        raise
    if parent is not None:
        parent.end("FINISHED")


def _logged(store: MlflowStore, record: Record, parent: _Parent | None, begun: str | None = None, *, own: bool) -> bool:
    """Log a record below a command's run; False if MLflow has it already."""
    if parent is None:
        return store.log(record, None, begun, own=own)
    run = parent.begun_in(store)
    added = store.log(record, run, begun, own=own)
    run.note(record)
    parent.counts[record.status] += added
    return added


def records_from(
    uri: str,
    *,
    watch: Callable[[Iterable[Record], int], Iterable[Record]] = lambda records, _: records,
    beginning: str = "",
) -> list[Record]:
    """The records that MLflow carries, sorted by run id; of a run logged several times, the one that ended last.

    Args:
        uri: A tracking store.
        watch: Given the records as they come and their number, hands them on; to show progress.
        beginning: Only the records of runs whose ids begin so.

    Raises:
        TrackingError: If MLflow cannot be read.
    """
    with one_sentence(uri):
        store = MlflowStore.open_existing(uri)
        last = {run.data.tags[RUN_ID]: run for run in store.logged() if run.data.tags[RUN_ID].startswith(beginning)}
        return list(watch(map(store.read, [last[run_id] for run_id in sorted(last)]), len(last)))
