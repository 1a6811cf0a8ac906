"""Servers on loopback for tests: a throw-away PostgreSQL, and MLflow's tracking server."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from debian import found_or_installed

from bench.records.mlflow_address import quiet_environment

PASSWORD = "a-secret"  # noqa: S105 - of a server that lives for one test session
WANTED = "PostgreSQL's initdb and pg_ctl are not there; install Debian's 'postgresql', or put them on PATH"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def tracking_server(folder: Path, store: str = "") -> Iterator[str]:
    """An MLflow server with its runs in a data base, sqlite if none is named, and its artefacts in the folder."""
    folder.mkdir()
    port = free_port()
    store = store or f"sqlite:///{folder / 'server.db'}"
    options = ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artefacts"), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), *options]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=quiet_environment())
        try:
            yield _answering(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(30)


def _answering(uri: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(480):
        try:
            with urllib.request.urlopen(f"{uri}/health", timeout=2):  # noqa: S310 - our own loopback server
                return uri
        except (OSError, urllib.error.URLError):
            assert process.poll() is None, "the MLflow server ended"
            time.sleep(0.25)
    pytest.fail("the MLflow server did not start within two minutes")


class Postgres:
    """A running server; every test takes a data base of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._made = 0

    def new(self) -> str:
        """The URL of a new, empty data base."""
        import psycopg

        self._made += 1
        name = f"test{self._made}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return self.url(name)

    def url(self, name: str, password: str = PASSWORD) -> str:
        return f"postgresql://bench:{password}@127.0.0.1:{self._port}/{name}"


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """PostgreSQL in a temporary folder, installed first where that is allowed; else the test is skipped."""
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not there; pip install 'psycopg[binary]'")
    programs = found_or_installed("postgresql", _programs)
    if programs is None:
        pytest.skip(WANTED)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="pg-") as name:
        folder, user = Path(name), _unprivileged()
        if user is not None:
            os.chown(folder, *user)
        port = free_port()
        _begin(programs, folder, port, user)
        try:
            yield Postgres(port)
        finally:
            _call([programs / "pg_ctl", "stop", "-D", folder / "data", "-m", "immediate", "-w"], folder, user)


def _begin(programs: Path, folder: Path, port: int, user: tuple[int, int] | None) -> None:
    secret, data = folder / "secret", folder / "data"
    secret.write_text(PASSWORD, encoding="ascii")
    if user is not None:
        os.chown(secret, *user)
    words = ["-U", "bench", "--auth", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--locale=C", "--no-sync"]
    _call([programs / "initdb", "-D", data, *words], folder, user)
    options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
    _call([programs / "pg_ctl", "start", "-D", data, "-w", "-o", options, "-l", folder / "log"], folder, user)


def _call(words: list[object], folder: Path, user: tuple[int, int] | None) -> None:
    """The server refuses to run as root."""
    uid, gid = user or (None, None)
    groups = [] if user else None
    command = [str(word) for word in words]
    done = subprocess.run(
        command, cwd=folder, user=uid, group=gid, extra_groups=groups, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _unprivileged() -> tuple[int, int] | None:
    """Who runs the server instead of root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return entry.pw_uid, entry.pw_gid


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs, the newest version's."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin")]
    folders.sort(key=lambda path: int(path.parent.name) if path.parent.name.isdecimal() else 0, reverse=True)
    folders += [Path(initdb).resolve().parent for initdb in [shutil.which("initdb")] if initdb]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)
