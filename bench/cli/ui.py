"""The command ``ui``."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir
from bench.errors import ConfigError, require


def ui(
    results: ResultsDir = Path("results"),
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's interface on the database of the results folder."""
    from bench.records.mlflow_store import default_uri, quiet_environment

    require("mlflow", "tracking", "stbench ui")
    results.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", default_uri(results)]
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise ConfigError(f"port {port} of this machine is in use; choose another with --port")
    print_line(f"http://127.0.0.1:{port}  (stop with Ctrl-C)")
    finished = subprocess.run(  # noqa: S603
        [*command, "--host", "127.0.0.1", "--port", str(port)], env=quiet_environment(), check=False
    )
    raise typer.Exit(finished.returncode)
