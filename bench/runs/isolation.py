"""Calls in a worker process of their own, so that nothing a model does to its process reaches another run.

Several work side by side, and one thread listens to all of them. Workers end with the process that started them, and
what they have started with them.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

from bench.catalog import own_files
from bench.errors import TimeLimitError, WorkerError
from bench.runs.ends import End, begin_group, end_children, end_with_parent, finish, gone, reason_of
from bench.runs.execution import failure_of
from bench.runs.fork_server import context, start, warm_up
from bench.runs.printed import Printed, print_into

T = TypeVar("T")
Row = dict[str, float]
LARGEST: Final = 2**40  # bytes of a message; a length beyond is none, but what a model wrote to the pipe


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a worker takes over from the process that starts it; a fork server knows that of its own start.

    Attributes:
        threads: Of its libraries, None for their own choice.
    """

    variables: Mapping[str, str]
    folder: Path
    threads: int | None

    @classmethod
    def here(cls, threads: int | None = None) -> Surroundings:
        """Those of this process, with as many threads as torch has here, or as are given."""
        if threads is None and (torch := sys.modules.get("torch")):
            threads = torch.get_num_threads()
        return cls(variables={**os.environ, **own_files.variables()}, folder=Path.cwd(), threads=threads)

    def enter(self) -> None:
        os.environ.clear()
        os.environ.update(self.variables)
        os.chdir(self.folder)
        own_files.importable()  # what another process sends may be of a class in such a file
        if self.threads:
            import torch
            from threadpoolctl import threadpool_limits

            torch.set_num_threads(self.threads)
            threadpool_limits(self.threads, "blas")


class Caller(Protocol):
    """What a function that is called in a worker may ask of the process that called it."""

    def row(self, row: Row) -> None:
        """Tell how far it is."""

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a function in another fresh process; raises what ``bench.runs.isolation.call`` raises."""


@dataclass(frozen=True)
class DirectCaller:
    """The caller of a function that is called in this very process."""

    row: Callable[[Row], None]

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        return call(function, *arguments)


@dataclass(frozen=True)
class _CallerBehindPipe:
    """The caller of a worker, behind a pipe."""

    pipe: Connection

    def row(self, row: Row) -> None:
        self.pipe.send(("row", row))

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        packed = bytes(ForkingPickler.dumps((function, arguments)))  # the process between need not import what it is
        self.pipe.send(("call", (_called, (packed,))))
        return ForkingPickler.loads(End(*self.pipe.recv()).result())[1]


@dataclass(kw_only=True)
class _Worker:
    """A process and who wants to hear of it.

    Attributes:
        name: Stands before what it prints.
        asker: The pipe of the worker that it works for; None if it works for this process.
        limit: The seconds that it may take; None for as many as it likes.
        latest: When these are over.
        watched: Whether its sentinel tells of its end; not where the fork server itself was killed.
    """

    process: Any
    printed: Printed
    surroundings: Surroundings
    on_end: Callable[[End], None]
    on_row: Callable[[Row], None] | None = None
    name: str = ""
    asker: Connection | None = None
    limit: float | None = None
    latest: float = math.inf
    watched: bool = True

    def sources(self) -> list[Any]:
        """What says something when it prints or ends; a child of it may keep its pipe open when it is gone."""
        printed = [self.printed.pipe] if self.printed.open else []
        return [*printed, self.process.sentinel] if self.watched else printed


class Workers:
    """Processes at work side by side, started and heard by one thread. Use it in a ``with``, which ends all of them."""

    def __init__(self) -> None:
        self._at: dict[Connection, _Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self._dismiss(list(self._at))

    def __len__(self) -> int:
        return len(self._at)

    def start(
        self,
        function: Callable[..., Any],
        *arguments: object,
        on_end: Callable[[End], None],
        on_row: Callable[[Row], None] | None = None,
        threads: int | None = None,
        limit: float | None = None,
        name: str = "",
    ) -> None:
        """Call a function in a fresh process.

        Args:
            function: One that can be pickled by its name.
            arguments: What it is called with; a ``Caller`` is added where there is ``on_row``.
            on_end: Called by ``listen``, once.
            on_row: Called by ``listen``, with each row that ``function`` tells its caller.
            threads: Of its libraries; None is as many as torch has here.
            limit: The seconds after which it is ended, as if it had raised ``TimeLimitError``.
            name: Stands before what it prints.
        """
        heard = {"on_end": on_end, "on_row": on_row, "limit": limit, "name": name}
        self._start(function, arguments, Surroundings.here(threads), **heard)

    def listen(self, timeout: float | None = None) -> None:
        """Wait until workers say something, for so many seconds at most, and hand it on; what that raises passes."""
        of = {source: pipe for pipe, worker in self._at.items() for source in (pipe, *worker.sources())}
        ready = wait(list(of), self._patience(timeout))
        for pipe in dict.fromkeys(of[source] for source in ready):
            if pipe in self._at:  # not dismissed meanwhile with the worker that it worked for
                self._hear(pipe, ready)
        for pipe in [pipe for pipe, worker in self._at.items() if worker.latest <= time.monotonic()]:
            self._end(pipe, End("raised", failure_of(TimeLimitError(self._at[pipe].limit))))

    def _patience(self, timeout: float | None) -> float | None:
        """How long to wait: not longer than until the first worker is late."""
        latest = min((worker.latest for worker in self._at.values()), default=math.inf)
        waits = [max(0.0, latest - time.monotonic())] if latest < math.inf else []
        return min([*waits, *([] if timeout is None else [timeout])], default=None)

    def _start(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], surroundings: Surroundings, **heard: Any
    ) -> None:
        warm_up()
        (here, there), (read, written) = context().Pipe(), context().Pipe(duplex=False)
        rows = heard.get("on_row") is not None
        process = context().Process(target=_serve, args=(there, written, surroundings, function, arguments, rows))
        printed = Printed(read, heard.get("name", ""))
        self._at[here] = worker = _Worker(process=process, printed=printed, surroundings=surroundings, **heard)
        start(process)
        if worker.limit is not None:
            worker.latest = time.monotonic() + worker.limit
        there.close()
        written.close()

    def _hear(self, pipe: Connection, ready: Sequence[object]) -> None:
        """Hand on what a worker says or prints."""
        worker = self._at[pipe]
        if worker.printed.pipe in ready:
            worker.printed.hear()
        if pipe.poll():
            self._heed(pipe, worker)
        elif worker.process.sentinel in ready:
            if gone(worker.process):
                self._end(pipe, End("died", reason_of(worker.process)))
            worker.watched = False

    def _heed(self, pipe: Connection, worker: _Worker) -> None:
        try:
            message, value = ForkingPickler.loads(pipe.recv_bytes(LARGEST))
        except Exception:  # noqa: BLE001 - it is gone, or what its model wrote to the pipe may be anything
            message, value = "died", reason_of(worker.process)
        if message == "row":
            if worker.on_row is not None:
                worker.on_row(value)
        elif message == "call":
            function, arguments = value
            asked = {"on_end": lambda end: _tell(pipe, end), "asker": pipe, "name": worker.name}
            self._start(function, arguments, worker.surroundings, **asked)
        else:
            self._end(pipe, End(message, value), answered=True)

    def _end(self, pipe: Connection, end: End, *, answered: bool = False) -> None:
        """See that a worker is gone, and those that work for it, and tell how it ended."""
        worker = self._at[pipe]
        self._dismiss([other for other, known in self._at.items() if known.asker is pipe])
        self._dismiss([pipe], answered=answered)
        worker.on_end(end)

    def _dismiss(self, pipes: Sequence[Connection], *, answered: bool = False) -> None:
        """Forget workers and see that they are gone."""
        leaving = [self._at.pop(pipe) for pipe in pipes]
        for pipe in pipes:
            pipe.close()
        finish([worker.process for worker in leaving if worker.process.pid is not None], answered=answered)
        for worker in leaving:
            worker.printed.close()


def call(
    function: Callable[..., T],
    *arguments: object,
    on_row: Callable[[Row], None] | None = None,
    threads: int | None = None,
    limit: float | None = None,
    name: str = "",
) -> T:
    """Call a function in a fresh process and wait for its answer.

    Args:
        function: One that can be pickled by its name.
        arguments: What it is called with; a ``Caller`` is added where there is ``on_row``.
        on_row: Called here, with each row that ``function`` tells its caller. What this raises ends the worker.
        threads: Of the process's libraries; None is as many as torch has here.
        limit: The seconds after which it is ended, as if it had raised ``TimeLimitError``.
        name: Stands before what it prints.

    Raises:
        RaisedError: If the function raises whatever it may be.
        WorkerError: If the process ends without an answer.
    """
    ends: list[End] = []
    with Workers() as workers:
        workers.start(function, *arguments, on_end=ends.append, on_row=on_row, threads=threads, limit=limit, name=name)
        while not ends:
            workers.listen()
    return cast("T", ends[0].result())


def _tell(pipe: Connection, end: End) -> None:
    """Send a worker what came of its call; one that is gone has no need of it."""
    failure = failure_of(WorkerError(end.value)) if end.how == "died" else None
    with contextlib.suppress(OSError):
        pipe.send(("raised", failure) if failure else (end.how, end.value))


def _serve(
    pipe: Connection,
    printed: Connection,
    surroundings: Surroundings,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    rows: bool,
) -> None:
    """What a worker does."""
    begin_group()
    print_into(printed)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that started it, which ends it
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        surroundings.enter()
        answer = _packed(function(*arguments, *([_CallerBehindPipe(pipe)] if rows else [])))
    except BaseException as error:  # noqa: BLE001 - also what a model raises to end its process
        answer = _raised(error)
    with contextlib.suppress(OSError):  # the model may have closed it
        pipe.send_bytes(answer)
        pipe.close()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    end_children(os.getpid())
    os._exit(0)  # whatever threads or handlers of exit a model has left


def _raised(error: BaseException) -> memoryview:
    """A packed failure; where a model has left nothing that can make one, this process ends without a word."""
    try:
        return ForkingPickler.dumps(("raised", failure_of(error)))
    except BaseException:  # noqa: BLE001 - the model has changed Python itself
        end_children(os.getpid())
        os._exit(1)


def _called(packed: bytes) -> bytes:
    """The packed answer to a packed call."""
    function, arguments = ForkingPickler.loads(packed)
    return bytes(_packed(function(*arguments)))


def _packed(answer: object) -> memoryview:
    """An answer as ``Connection.send`` would send it."""
    try:
        return ForkingPickler.dumps(("answer", answer))
    except Exception as error:
        raise WorkerError(
            f"the {type(answer).__name__} that the process of this run gives cannot be sent to the one that started "
            f"it ({error}); give plain data"
        ) from error
