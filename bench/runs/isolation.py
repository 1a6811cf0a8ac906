"""Calls in a worker process of their own, so that nothing a model does to its process reaches another run.

Several work side by side, and one thread listens to all of them. Workers end with the process that started them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
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
from typing import Any, Literal, Protocol, TypeVar, cast

from bench.catalog import own_files
from bench.errors import WorkerError
from bench.records.record import Failure
from bench.runs.execution import failure_of
from bench.runs.fork_server import ONE_AT_A_TIME, context, start, warm_up

END_S = 5.0  # for a worker that has answered, or was told to end
T = TypeVar("T")
Row = dict[str, float]


class RaisedError(WorkerError):
    """What a worker's call raised; ``failure`` says it as a record does."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


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


@dataclass(frozen=True)
class End:
    """How a worker ended: with an answer, with what it raised, or "died" with the reason as a sentence."""

    how: Literal["answer", "raised", "died"]
    value: Any

    def result(self) -> Any:
        """The answer.

        Raises:
            RaisedError: If the function raised whatever it may be.
            WorkerError: If the process ended without an answer.
        """
        if self.how == "raised":
            raise RaisedError(self.value)
        if self.how == "died":
            raise WorkerError(self.value)
        return self.value


@dataclass(frozen=True, kw_only=True)
class _Worker:
    """A process and who wants to hear of it.

    Attributes:
        asker: The pipe of the worker that it works for; None if it works for this process.
    """

    process: Any
    surroundings: Surroundings
    on_end: Callable[[End], None]
    on_row: Callable[[Row], None] | None = None
    asker: Connection | None = None


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
    ) -> None:
        """Call a function in a fresh process.

        Args:
            function: One that can be pickled by its name.
            arguments: What it is called with; a ``Caller`` is added where there is ``on_row``.
            on_end: Called by ``listen``, once.
            on_row: Called by ``listen``, with each row that ``function`` tells its caller.
            threads: Of its libraries; None is as many as torch has here.
        """
        self._start(function, arguments, Surroundings.here(threads), on_end=on_end, on_row=on_row)

    def listen(self, timeout: float | None = None) -> None:
        """Wait until workers say something, for so many seconds at most, and hand it on; what that raises passes."""
        for pipe in wait(list(self._at), timeout):
            if pipe in self._at:  # not dismissed meanwhile with the worker that it worked for
                self._hear(pipe)

    def _start(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], surroundings: Surroundings, **heard: Any
    ) -> None:
        warm_up()
        here, there = context().Pipe()
        rows = heard.get("on_row") is not None
        process = context().Process(target=_serve, args=(there, surroundings, function, arguments, rows))
        self._at[here] = _Worker(process=process, surroundings=surroundings, **heard)
        start(process)
        there.close()

    def _hear(self, pipe: Connection) -> None:
        worker = self._at[pipe]
        try:
            message, value = pipe.recv()
        except (EOFError, OSError):
            message, value = "died", _reason(worker.process)
        if message == "row":
            if worker.on_row is not None:
                worker.on_row(value)
        elif message == "call":
            function, arguments = value
            self._start(function, arguments, worker.surroundings, on_end=lambda end: _tell(pipe, end), asker=pipe)
        else:
            self._dismiss([other for other, known in self._at.items() if known.asker is pipe])
            self._dismiss([pipe], answered=True)
            worker.on_end(End(message, value))

    def _dismiss(self, pipes: Sequence[Connection], *, answered: bool = False) -> None:
        """Forget workers and see that they are gone."""
        leaving = [self._at.pop(pipe).process for pipe in pipes]
        for pipe in pipes:
            pipe.close()
        _finish([process for process in leaving if process.pid is not None], answered=answered)


def call(
    function: Callable[..., T],
    *arguments: object,
    on_row: Callable[[Row], None] | None = None,
    threads: int | None = None,
) -> T:
    """Call a function in a fresh process and wait for its answer.

    Args:
        function: One that can be pickled by its name.
        arguments: What it is called with; a ``Caller`` is added where there is ``on_row``.
        on_row: Called here, with each row that ``function`` tells its caller. What this raises ends the worker.
        threads: Of the process's libraries; None is as many as torch has here.

    Raises:
        RaisedError: If the function raises whatever it may be.
        WorkerError: If the process ends without an answer.
    """
    ends: list[End] = []
    with Workers() as workers:
        workers.start(function, *arguments, on_end=ends.append, on_row=on_row, threads=threads)
        while not ends:
            workers.listen()
    return cast("T", ends[0].result())


def _tell(pipe: Connection, end: End) -> None:
    """Send a worker what came of its call; one that is gone has no need of it."""
    failure = failure_of(WorkerError(end.value)) if end.how == "died" else None
    with contextlib.suppress(OSError):
        pipe.send(("raised", failure) if failure else (end.how, end.value))


def _serve(
    pipe: Connection, surroundings: Surroundings, function: Callable[..., Any], arguments: tuple[Any, ...], rows: bool
) -> None:
    """What a worker does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the process that started it, which ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        surroundings.enter()
        answer = _packed(function(*arguments, *([_CallerBehindPipe(pipe)] if rows else [])))
    except BaseException as error:  # noqa: BLE001 - also what a model raises to end its process
        answer = ForkingPickler.dumps(("raised", failure_of(error)))
    pipe.send_bytes(answer)
    pipe.close()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(0)  # whatever threads or handlers of exit a model has left


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


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _reason(process: Any) -> str:
    """Why a process is gone."""
    with ONE_AT_A_TIME:
        process.join(END_S)
        return _end(process.exitcode)


def _finish(processes: Sequence[Any], *, answered: bool) -> None:
    """Wait for processes that have answered; end those that have not, or do not end by themselves."""
    ends: list[Callable[[Any], None]] = [lambda process: process.terminate(), lambda process: process.kill()]
    with ONE_AT_A_TIME:
        for end in [lambda _: None, *ends] if answered else ends:
            running = [process for process in processes if process.exitcode is None]
            for process in running:
                end(process)
            latest = time.monotonic() + END_S
            for process in running:
                process.join(max(0.0, latest - time.monotonic()))
        for process in processes:
            with contextlib.suppress(ValueError):  # the system has not let go of it yet
                process.close()


def _end(code: int | None) -> str:
    """How a process ended, in a sentence."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            why = ", as the system does when memory runs out" if name == "SIGKILL" else ""
            return f"the process of this run was ended by the signal {name}{why}; the other runs go on without it"
    return (
        f"the process of this run ended with exit code {code} and no word; its model, or a library it uses, ends its "
        "process, as os._exit does"
    )
