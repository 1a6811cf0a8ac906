"""The command line, in processes of its own and, for ``stbench data``, within that of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner, Result

from bench.cli.data import app
from bench.errors import BenchError

ROOT = Path(__file__).resolve().parents[2]


def environment(columns=200):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # as in an activated environment
    return {**os.environ, "PATH": path, "COLUMNS": str(columns), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def stbench(*arguments, columns=200):
    command = [sys.executable, "-m", "bench", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment(columns), capture_output=True, text=True, check=False)


class Shell:
    """Runs ``stbench data ...`` in an empty folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, [*words], env={"COLUMNS": "200"})

    def prints(self, *words: str, code: int = 0) -> str:
        result = self.run(*words)
        assert result.exit_code == code, result.output + repr(result.exception)
        return " ".join(result.output.split())

    def refuses(self, *words: str, error: type[BenchError]) -> str:
        result = self.run(*words)
        assert isinstance(result.exception, error), result.output + repr(result.exception)
        assert "\n" not in str(result.exception)
        return str(result.exception)
