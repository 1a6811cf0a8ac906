"""``stbench`` and ``python -m bench``."""

from __future__ import annotations

import io
import os
import signal
import sys

from bench.errors import BenchError

CRASHED = 70  # a mistake in the program itself
INTERRUPTED = 130  # typer's exit code for Ctrl-C


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads of torch sleep: runs side by side do not stall
    from rich.text import Text

    from bench.cli.app import app
    from bench.cli.terminal import Console

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a sign shows another
    for sign in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        if signal.getsignal(sign) == signal.SIG_DFL:
            signal.signal(sign, _as_ctrl_c)
    try:
        app()
    except BenchError as error:
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that may not be written
        file = f"{error.filename}: " if error.filename else ""
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), file, error.strerror or ""))
        sys.exit(2)
    except Exception:  # noqa: BLE001 - a mistake of ours, which must not look like failed runs
        Console(stderr=True).print_exception()
        sys.exit(CRASHED)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            Console(stderr=True).print("stopped; what is finished is kept, and the same command goes on from here")
        raise


def _as_ctrl_c(number: int, frame: object) -> None:  # noqa: ARG001 - a handler's signature
    """What asks the process to end ends it in order, with its workers."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
