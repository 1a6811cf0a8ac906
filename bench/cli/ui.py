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
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.console import print_line
from bench.cli.options import ResultsDir
from bench.errors import ConfigError, require

if TYPE_CHECKING:
    from bench.records.mlflow_store import MlflowStore

END_S = 5.0  # for a server to end in order
RUNS = "runs?workflowType=machine_learning"  # MLflow's page of an experiment, shown as model training
HERE, EVERYWHERE = "127.0.0.1", ("0.0.0.0", "::")  # noqa: S104 - to be recognised
OUTSIDE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # of no machine: they are for documents
ALLOWED = "MLFLOW_SERVER_ALLOWED_HOSTS"  # MLflow's own


def ui(
    results: ResultsDir = Path("results"),
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen at; 0.0.0.0 lets other machines in, without a password, by the names and addresses "
            "that this one knows of itself, and by those in $MLFLOW_SERVER_ALLOWED_HOSTS.",
        ),
    ] = HERE,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = 5000,
) -> None:
    """Open MLflow's interface on the database of the results folder, wherever runs are tracked otherwise."""
    from bench.records.mlflow_address import default_file, default_uri, quiet_environment
    from bench.records.mlflow_problems import one_sentence
    from bench.records.mlflow_store import MlflowStore

    require("mlflow", "tracking", "stbench ui")
    _check_free(host, port)
    _check_there(results)
    with one_sentence(default_uri(results)):
        opened = MlflowStore.open(default_uri(results), results, print_line)  # mended before a server has it
    _say_what_is_not_there(opened, results)
    store = default_file(results)  # by its name alone: MLflow reads signs in the path of its folder as options
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", f"sqlite:///{store.name}"]
    command += ["--host", host, "--port", str(port), *_let_in(host, port)]
    address = f"http://{_in_address(_names(host)[0])}:{port}/#/experiments/{opened.experiment}/{RUNS}"
    if host in EVERYWHERE:
        print_line(f"it answers to {', '.join(_names(host))}; by another name in ${ALLOWED}, too")
    print_line(f"starting MLflow, in some seconds at {address}  (stop with Ctrl-C)")
    try:
        raise typer.Exit(_serve(command, quiet_environment(), store.parent))
    except KeyboardInterrupt:
        print_line("MLflow's interface is stopped")


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


def _say_what_is_not_there(opened: MlflowStore, results: Path) -> None:
    """Say that the page is empty, and that runs are tracked elsewhere, if so."""
    from bench.records.mlflow_address import VARIABLE, default_uri, shown, sync_command

    if opened.is_empty():
        fills_in = sync_command(default_uri(results), results)
        print_line(f"the page shows no run yet, since MLflow has none of {results}; this fills it: {fills_in}")
    if server := os.environ.get(VARIABLE):
        print_line(f"it shows the database of {results}; runs are tracked at {shown(server)}, as ${VARIABLE} says")


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
    also = dict.fromkeys(filter(None, (name.strip() for name in os.environ.get(ALLOWED, "").split(","))))
    names = dict.fromkeys(map(_in_address, ("localhost", HERE, *_names(host))))
    hosts = [*(text for name in names for text in (name, f"{name}:{port}")), *also]
    hosts += [f"{name}:{port}" for name in also if ":" not in name]
    origins = [f"{scheme}://{text}" for text in hosts for scheme in ("http", "https")]  # a proxy may speak either
    return ["--allowed-hosts", ",".join(hosts), "--cors-allowed-origins", ",".join(origins)]


def _names(host: str) -> list[str]:
    """How other machines may call what listens at an address, the best first."""
    if host not in EVERYWHERE:
        return [host]
    name = socket.gethostname()
    names = [name, socket.getfqdn(), f"{name.partition('.')[0]}.local"]
    with suppress(OSError):  # a name that nobody resolves
        names += sorted({str(address[0]) for *_, address in socket.getaddrinfo(name, None)})
    names += filter(None, (_own_address(family, outside) for family, outside in OUTSIDE))
    names = [name for name in names if host == "::" or ":" not in name]  # at 0.0.0.0 nothing hears IPv6
    return [name for name in dict.fromkeys(names) if name not in (HERE, "::1", "localhost")]


def _own_address(family: socket.AddressFamily, outside: str) -> str | None:
    """The address of this machine that others see; None if it reaches no other. Nothing is sent for that."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((outside, 9))
        return str(probe.getsockname()[0])
    return None


def _in_address(name: str) -> str:
    return f"[{name}]" if ":" in name else name
