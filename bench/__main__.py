"""``stbench`` and ``python -m bench``."""

from __future__ import annotations

import sys

from bench.errors import BenchError


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit code 2."""
    from rich.console import Console
    from rich.text import Text

    from bench.cli import app

    try:
        app()
    except BenchError as error:
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("error: ", "bold red"), str(error)))
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; what is finished is kept, and the same command goes on from here")
        sys.exit(130)


if __name__ == "__main__":
    main()
