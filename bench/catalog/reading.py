"""Imports and reads a data set whose file is not ours in a process of its own first, which such a file may end.

``python -m bench.catalog.reading NAME`` imports the file and ends with ``IN_ORDER``; with ``CACHE [DATA_DIR]`` behind
the name it reads the data set into the cache, too. So it ends where the file raises an exception, which the process
that wanted the data set meets again and says in a sentence. What is no ``Exception`` would end that process, too, so it
is printed in a line, and the exit code is ``RAISED``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from bench.catalog.plugins import Plugin, looks
from bench.errors import ConfigError, DataError
from bench.plain_text import one_line

ROOT: Final = Path(__file__).resolve().parents[2]
IN_ORDER, RAISED = 86, 87  # exit codes that no reader means
VARIABLE: Final = "STBENCH_READS_APART"
IMPORT_S: Final = 300.0  # for a file that defines a few functions
PATIENCE_S: Final = 10.0  # after which a line says what is waited for

Looks = tuple[tuple[Path, tuple[int, int]], ...]
"""Time of change and size of files."""


def reading_apart() -> bool:
    """Whether this process is one that reads for another."""
    return VARIABLE in os.environ


def check_import(plugin: Plugin) -> None:
    """Let another process import a data set's file first; what it prints comes on stderr.

    It does so once for as long as the file, and what it imports beside, look the same. A worker is spared this: it may
    end, and its run has failed.

    Raises:
        ConfigError: If the file ends that process, or does not come to its end.
    """
    import multiprocessing

    if reading_apart() or multiprocessing.parent_process() is not None:
        return
    if problem := _end_of_import(plugin.name, plugin.source, _looks_of(plugin)):
        raise ConfigError(f"the import of the data set '{plugin.name}' {problem}")


@cache
def _end_of_import(name: str, source: Path, _looks: Looks) -> str:
    """How the import of a file ends its process, as the end of a sentence; empty if it does not."""
    try:
        code = _apart([name], IMPORT_S)
    except subprocess.TimeoutExpired:
        return f"has not come to its end in {IMPORT_S:g} s; mend {source}"
    return "" if code == IN_ORDER else _ended(code, source)


def _looks_of(plugin: Plugin) -> Looks:
    """How a file, and what it imports beside, look now."""
    from bench.catalog.code import own_files_behind

    try:
        files = own_files_behind(plugin)
    except ConfigError:  # of a file that it imports; to import it says so
        files = [plugin.source]
    return tuple((file, looks(file)) for file in files)


def fill_cache_apart(name: str, source: Path, data_dir: Path | None, cache: Path, limit: float | None) -> None:
    """Let another process read a data set, by the reader in ``source``, into the cache; it prints on stderr.

    Raises:
        DataError: If the reader ends that process, or takes longer than so many seconds.
    """
    try:
        code = _apart([name, str(cache), *([str(data_dir)] if data_dir else [])], limit)
    except subprocess.TimeoutExpired as error:
        raise DataError(
            f"the reader of '{name}' took longer than the time limit of {limit:g} s and was ended; look where it waits "
            f"in {source}, or give a larger --time-limit, or time_limit="
        ) from error
    if code != IN_ORDER:
        raise DataError(f"the reader of '{name}' {_ended(code, source)}")


def _apart(words: Sequence[str], limit: float | None) -> int:
    """The exit code of a process of this module, which is ended after so many seconds; so is what it has started.

    It imports nothing from the current folder, as ``stbench`` does not.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", __name__, *words],
        env={**os.environ, "PYTHONPATH": path, VARIABLE: "1"},
        stdin=subprocess.PIPE,  # nothing is written there; it ends with this process
        stdout=2,
        start_new_session=True,
    ) as process:
        try:
            return _wait(process, limit, words)
        finally:  # on Ctrl-C, too
            process.kill()
            if hasattr(os, "killpg"):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], limit: float | None, words: Sequence[str]) -> int:
    """Its exit code; an import that takes long is told in a line."""
    if limit is None or len(words) > 1:
        return process.wait(limit)
    try:
        return process.wait(min(limit, PATIENCE_S))
    except subprocess.TimeoutExpired:
        if limit <= PATIENCE_S:
            raise
    print(f"the import of the data set '{words[0]}' is waited for, {limit:g} s at most", file=sys.stderr)
    return process.wait(limit - PATIENCE_S)


def _end_with_caller() -> None:
    """End this process, and what it has started, when the one that waits for it is gone, also by SIGKILL.

    Standard input ends then. What the reader asks of it is empty from the beginning.
    """
    caller, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        os.read(caller, 1)
        if hasattr(os, "killpg"):
            os.killpg(os.getpgrp(), signal.SIGKILL)  # a group of its own: it is the leader of a session
        os._exit(RAISED)

    threading.Thread(target=watch, daemon=True).start()


def _ended(code: int, source: Path) -> str:
    if code == RAISED:
        return f"raised what ends a process, as the line before says; mend {source}"
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"ended its process with {how} and no word, as os._exit and a crash of a library do; mend {source}"


def main(words: Sequence[str]) -> None:
    """Import the file or fill the cache, and end in order, whatever the file raises."""
    from bench.catalog import registry
    from bench.catalog.data import Catalog

    name, *folders = words
    _end_with_caller()
    try:
        with contextlib.suppress(Exception, SystemExit):
            registry.load("dataset", name)
            if folders:
                cache, *data_dir = map(Path, folders)
                Catalog(data_dir=data_dir[0] if data_dir else None, cache=cache).identity(name)
    except BaseException as error:  # noqa: BLE001 - its traceback would have paths of the machine
        print(f"{name}: {type(error).__name__}: {one_line(error)}", file=sys.stderr)
        sys.exit(RAISED)
    sys.exit(IN_ORDER)


if __name__ == "__main__":
    main(sys.argv[1:])
