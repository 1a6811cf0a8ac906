"""Calls in a worker process of their own, so that nothing a model does to its process reaches another run.

A fork server that has imported torch, and no plug-in, makes a worker in some hundredths of a second; where there is no
fork server (Windows), a worker is a new interpreter. Workers end with the process that started them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar, cast

from bench.errors import WorkerError
from bench.records.record import Failure
from bench.runs.execution import failure_of

PRELOADED = (
    "bench.runs.worker",
    "bench.runs.evaluator",
    "torch._dynamo",  # by every optimizer
    "torch.utils.flop_counter",
    "bench.catalog.imports",
)
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
    """What a worker takes over from the process that starts it; a fork server knows that of its own start."""

    variables: Mapping[str, str]
    folder: Path
    threads: int | None

    @classmethod
    def here(cls) -> Surroundings:
        torch = sys.modules.get("torch")
        threads = torch.get_num_threads() if torch else None
        return cls(variables=dict(os.environ), folder=Path.cwd(), threads=threads)

    def enter(self) -> None:
        os.environ.clear()
        os.environ.update(self.variables)
        os.chdir(self.folder)
        if self.threads:
            import torch

            torch.set_num_threads(self.threads)


def warm_up() -> None:
    """Start the fork server, which takes seconds to import torch, beside what is done meanwhile."""
    if _method() == "forkserver":
        from multiprocessing.forkserver import ensure_running

        _context()
        with _without_main():
            ensure_running()


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
        self.pipe.send(("call", (function, *arguments)))
        return _answer(self.pipe, None)


def call(function: Callable[..., T], *arguments: object, on_row: Callable[[Row], None] | None = None) -> T:
    """Call a function in a fresh process.

    Args:
        function: One that can be pickled by its name.
        arguments: What it is called with; a ``Caller`` is added where there is ``on_row``.
        on_row: Called here, with each row that ``function`` tells its caller. What this raises ends the worker.

    Raises:
        RaisedError: If the function raises whatever it may be.
        WorkerError: If the process ends without an answer.
    """
    here, there = _context().Pipe()
    process = _context().Process(
        target=_serve, args=(there, Surroundings.here(), function, arguments, on_row is not None)
    )
    with _without_main():
        process.start()
    there.close()
    try:
        value = _answer(here, on_row)
        process.join(END_S)
    except _GoneError as error:
        process.join(END_S)
        raise WorkerError(_end(process.exitcode)) from error
    finally:
        here.close()
        _finish(process)
    return cast("T", value)


class _GoneError(Exception):
    """The process at the other end of a pipe is no longer there."""


@contextlib.contextmanager
def _other_end() -> Iterator[None]:
    """Around what is done with a pipe, and nothing else: observers may raise the same errors."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise _GoneError from error


def _answer(pipe: Connection, on_row: Callable[[Row], None] | None) -> Any:
    while True:
        with _other_end():
            message, value = pipe.recv()
        if message == "answer":
            return value
        if message == "raised":
            raise RaisedError(value)
        if message == "call":
            answer = _answered(call, *value)
            with _other_end():
                pipe.send(answer)
        elif on_row is not None:
            on_row(value)


def _answered(function: Callable[..., Any], *arguments: object) -> tuple[str, Any]:
    """What came of a call, to be sent."""
    try:
        return "answer", function(*arguments)
    except RaisedError as error:
        return "raised", error.failure
    except WorkerError as error:
        return "raised", failure_of(error)


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


def _finish(process: Any) -> None:
    """End a worker that has not ended by itself."""
    for end in (process.terminate, process.kill):
        if process.exitcode is None:
            end()
            process.join(END_S)
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


def _method() -> str:
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _context() -> Any:
    context = multiprocessing.get_context(_method())
    if _method() == "forkserver":
        context.set_forkserver_preload(list(PRELOADED))
    return context


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep multiprocessing from running the user's script again in each worker, which needs nothing of it."""
    main, nothing = sys.modules["__main__"], ModuleType("__main__")
    sys.modules["__main__"] = nothing
    try:
        yield
    finally:
        sys.modules["__main__"] = main
