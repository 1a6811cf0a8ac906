"""The fork server, which makes fresh processes in some hundredths of a second.

It has imported torch and what every run needs, and no plug-in. Where there is none (Windows), a process is a new
interpreter.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from bench.errors import ConfigError, WorkerError
from bench.runs.whole_imports import interrupts_wait

PRELOADED = (
    "bench.runs.worker",
    "bench.runs.evaluator",
    "bench.runs.preloaded",
    "torch.utils.flop_counter",
    "bench.catalog.imported",
)
TRIES: Final = 5
PAUSE_S: Final = 0.2  # a killed server takes a moment to be gone, and refuses until then
ONE_AT_A_TIME: Final = threading.Lock()
"""multiprocessing looks after all children whenever one is started, which threads must not do at once."""


def check_folder() -> None:
    """Refuse a current folder whose own package of our name the processes of runs would import in place of ours.

    Raises:
        ConfigError: With what to do.
    """
    here, ours = Path.cwd(), Path(__file__).resolve().parents[2]
    if here.resolve() != ours and (here / "bench" / "__init__.py").exists():
        raise ConfigError(
            f"the folder {here} has a package 'bench' of its own, but that of {ours} is at work, and runs would mix "
            f"them; for the one that is here say 'python -m bench', or 'pip install -e .' first; for the other go to "
            f"another folder"
        )


def warm_up(libraries: Sequence[str] = ()) -> None:
    """Start the fork server, which takes seconds to import torch and these modules, beside what is done meanwhile."""
    if _method() == "forkserver":
        from multiprocessing import resource_tracker
        from multiprocessing.forkserver import ensure_running

        from bench.runs.preloading import VARIABLE

        context()
        resource_tracker.ensure_running()  # which would have this process hear interrupts again
        with ONE_AT_A_TIME, _without_main(), _deaf():
            os.environ[VARIABLE] = ",".join(libraries)
            try:
                ensure_running()
            finally:
                del os.environ[VARIABLE]


def start(process: Any) -> None:
    """Start a process of ``context``, by another fork server where a model has just ended this one.

    Raises:
        WorkerError: If none can be started.
    """
    with ONE_AT_A_TIME, _without_main():
        for tried in range(TRIES):
            time.sleep(tried * PAUSE_S)
            try:
                process.start()
            except (EOFError, ConnectionError, FileNotFoundError) as error:
                why = error
            else:
                return
    raise WorkerError(
        f"no process can be started for a run ({type(why).__name__}: {why}); run the command again"
    ) from why


def _method() -> str:
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def context() -> Any:
    """What multiprocessing makes pipes and processes with here."""
    made = multiprocessing.get_context(_method())
    if _method() == "forkserver":
        made.set_forkserver_preload(list(PRELOADED))
    return made


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keep multiprocessing from running the user's script again in each worker, which needs nothing of it."""
    main, nothing = sys.modules["__main__"], ModuleType("__main__")
    sys.modules["__main__"] = nothing
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """What is started here never hears Ctrl-C, which is the starting process's to act on, and which waits meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with interrupts_wait():  # another thread may be the one that hears it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # is inherited
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
