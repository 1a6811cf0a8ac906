"""The command ``ui``."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir
from bench.errors import ConfigError, require

END_S = 5.0  # for a server to end in order
RUNS = "runs?workflowType=machine_learning"  # MLflow's page of an experiment, shown as model training
HERE, EVERYWHERE = "127.0.0.1", ("0.0.0.0", "::")  # noqa: S104 - to be recognised


def ui(
    results: ResultsDir = Path("results"),
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; 0.0.0.0 lets other machines in, without a password.")
    ] = HERE,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's interface on the database of the results folder."""
    from bench.records.mlflow_address import default_file, default_uri, quiet_environment
    from bench.records.mlflow_problems import one_sentence
    from bench.records.mlflow_store import MlflowStore

    require("mlflow", "tracking", "stbench ui")
    _check_free(host, port)
    _check_there(results)
    with one_sentence(default_uri(results)):
        opened = MlflowStore.open(default_uri(results), results, print_line)  # mended before a server has it
    store = default_file(results)  # by its name alone: MLflow reads signs in the path of its folder as options
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{store.name}"]
    command += ["--host", host, "--port", str(port), *_let_in(host, port)]
    address = f"http://{_in_address(_names(host)[0])}:{port}/#/experiments/{opened.experiment}/{RUNS}"
    print_line(f"starting MLflow, in some seconds at {address}  (stop with Ctrl-C)")
    raise typer.Exit(_serve(command, quiet_environment(), store.parent))


def _serve(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
    """Run a server until it ends; what ends this process ends all processes of the server, which are a group."""
    server = subprocess.Popen(command, env=environment, cwd=folder, start_new_session=True)  # noqa: S603
    try:
        return server.wait()
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(server.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                server.wait(END_S)


def _check_there(results: Path) -> None:
    """Refuse a folder that has nothing to show, which may be a mistyped one.

    Raises:
        ConfigError: With where to look.
    """
    from bench.records.mlflow_address import VARIABLE, default_file, shown

    if default_file(results).exists() or any((results / "runs").glob("*/*/*.json")):
        return
    server = os.environ.get(VARIABLE)
    elsewhere = f"; runs are tracked at {shown(server)}, as ${VARIABLE} says: open that" if server else ""
    raise ConfigError(
        f"{results} holds neither records nor MLflow's data base; --results DIR names another folder{elsewhere}"
    )


def _check_free(host: str, port: int) -> None:
    """Refuse a port that is taken, and an address that is not this machine's.

    Raises:
        ConfigError: With what to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(
                f"nothing can listen at {host}, port {port} ({error.strerror}); choose another --port or --host"
            ) from error


def _let_in(host: str, port: int) -> list[str]:
    """What MLflow must be told of the names of this machine, since it refuses requests that say another."""
    if host in (HERE, "localhost"):
        return []
    names = dict.fromkeys(map(_in_address, ("localhost", HERE, *_names(host))))
    hosts = [text for name in names for text in (name, f"{name}:{port}")]
    origins = [f"http://{name}:{port}" for name in names]
    return ["--allowed-hosts", ",".join(hosts), "--cors-allowed-origins", ",".join(origins)]


def _names(host: str) -> list[str]:
    """How other machines may call what listens at an address, the best first."""
    if host not in EVERYWHERE:
        return [host]
    name = socket.gethostname()
    names = [name, socket.getfqdn()]
    with suppress(OSError):  # a name that nobody resolves
        names += sorted({str(address[0]) for *_, address in socket.getaddrinfo(name, None)})
    return names


def _in_address(name: str) -> str:
    return f"[{name}]" if ":" in name else name
