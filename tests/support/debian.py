"""Programs that tests need and no Python package brings: installed by Debian's own tool, where that is allowed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

LIMIT_S = 200  # for one call of apt-get


def found_or_installed(package: str, find: Callable[[], Path | None]) -> Path | None:
    """What ``find`` finds; where it finds nothing and we are root, once more after ``package`` was installed.

    Several processes may ask: one installs, the others wait for it.
    """
    with FileLock(Path(tempfile.gettempdir()) / f"stbench-{package}.lock"):
        if (there := find()) or os.geteuid() != 0 or shutil.which("apt-get") is None:
            return there
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "--yes", "--no-install-recommends", package]):
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["apt-get", "-qq", *words], env=environment, capture_output=True, timeout=LIMIT_S, check=False
                )
        return find()
