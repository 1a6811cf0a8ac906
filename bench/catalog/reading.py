"""Reads a data set by a reader that is not ours in a process of its own, which such a reader may end.

``python -m bench.catalog.reading NAME CACHE [DATA_DIR]`` fills the cache and ends with ``IN_ORDER``. So it does where
the reader raises something, which the process that wanted the data meets again and says in a sentence.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.errors import DataError

ROOT: Final = Path(__file__).resolve().parents[2]
IN_ORDER: Final = 86  # an exit code that no reader means
VARIABLE: Final = "STBENCH_READS_APART"


def reading_apart() -> bool:
    """Whether this process is one that reads for another."""
    return VARIABLE in os.environ


def fill_cache_apart(name: str, data_dir: Path | None, cache: Path) -> None:
    """Let another process read a data set into the cache; what it prints comes on stderr.

    Raises:
        DataError: If the reader ends that process.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    words = [name, str(cache), *([str(data_dir)] if data_dir else [])]
    code = subprocess.run(  # noqa: S603
        [sys.executable, "-m", __name__, *words],
        env={**os.environ, "PYTHONPATH": path, VARIABLE: "1"},
        stdin=subprocess.DEVNULL,
        stdout=2,
        check=False,
    ).returncode
    if code != IN_ORDER:
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise DataError(
            f"the reader of '{name}' ended its process with {how} and no word, as os._exit and a crash of a library "
            "do; mend its file"
        )


def main(words: Sequence[str]) -> None:
    """Fill the cache and end in order, whatever the reader raises."""
    from bench.catalog.data import Catalog

    name, cache, *data_dir = words
    with contextlib.suppress(Exception, SystemExit):
        Catalog(data_dir=Path(data_dir[0]) if data_dir else None, cache=Path(cache)).identity(name)
    sys.exit(IN_ORDER)


if __name__ == "__main__":
    main(sys.argv[1:])
