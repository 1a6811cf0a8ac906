"""``stbench`` and ``python -m bench``."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator

CRASHED = 70  # a mistake in the program itself
INTERRUPTED = 130  # typer's exit code for Ctrl-C
COMPLETION = frozenset(("--install-completion", "--show-completion"))


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    with _ctrl_c_ends_it(), _missing_package_told():  # without a word, so long as there is nobody who could say one
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads of torch sleep: runs beside it do not stall
        os.environ["MPLBACKEND"] = "agg"  # figures are files; a notebook's backend may not be there
        from rich.text import Text

        from bench.cli.app import app
        from bench.cli.terminal import Console, as_started
        from bench.errors import BenchError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another
    for sign in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(sign) == signal.SIG_DFL:
            signal.signal(sign, _as_ctrl_c)
    try:
        app(prog_name=None if COMPLETION.isdisjoint(sys.argv) else "stbench")  # a shell completes one word
    except (BenchError, OSError) as error:  # such as a folder that may not be written
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), as_started(_sentence(error))))
        sys.exit(2)
    except Exception:  # noqa: BLE001 - a mistake of ours, which must not look like failed runs
        Console(stderr=True).print_exception()
        sys.exit(CRASHED)
    except KeyboardInterrupt:  # before or behind typer
        sys.exit(INTERRUPTED)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            Console(stderr=True).print("stopped; what is finished is kept, and the same command goes on from here")
        raise


@contextlib.contextmanager
def _missing_package_told() -> Iterator[None]:
    """While a package that this interpreter lacks, as outside the environment, is a sentence and exit code 2."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "bench").split(".")[0] == "bench":
            raise
        sys.stderr.write(
            f"error: {sys.executable} has no package {error.name}; use the environment that st-vfm-bench is installed "
            "in: 'source .venv/bin/activate' first, or '.venv/bin/python -m bench' after 'make run'\n"
        )
        sys.exit(2)


def _sentence(error: Exception) -> str:
    """What and where, and of a folder that takes nothing what to do."""
    from errno import EROFS

    from bench.errors import FULL, unwritten

    if not isinstance(error, OSError):
        return str(error)
    file = str(error.filename or "a file")
    return str(unwritten(file, error)) if error.errno in (*FULL, EROFS) else f"{file}: {error.strerror or error}"


@contextlib.contextmanager
def _ctrl_c_ends_it() -> Iterator[None]:
    """While Ctrl-C ends the process as it ends any other, without a traceback."""
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _as_ctrl_c(number: int, frame: object) -> None:  # noqa: ARG001 - a handler's signature
    """What asks the process to end ends it in order, with its workers."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
