"""``stbench ui`` starts MLflow's server on the data base of a results folder, for whom it was asked to."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import closing
from types import SimpleNamespace

import pytest
from kills import gone
from records import record
from servers import free_port
from typer.testing import CliRunner

from bench.cli import ui
from bench.cli.app import app
from bench.errors import ConfigError
from bench.records.mlflow_address import default_uri
from bench.records.mlflow_store import MlflowStore
from bench.records.store import ResultStore


@pytest.fixture
def started(monkeypatch):
    """The commands that are started in place of servers, with their folders."""
    calls = []

    def serve(command, environment, folder):
        calls.append((command, folder))
        return 0

    monkeypatch.setattr(ui, "_serve", serve)
    monkeypatch.setattr(MlflowStore, "open", lambda *_: SimpleNamespace(experiment="7", is_empty=lambda: True))
    return calls


def start(*words):
    return CliRunner().invoke(app, ["ui", *map(str, words)], catch_exceptions=True)


def option(command, name):
    return command[command.index(name) + 1]


def test_it_listens_to_this_machine_alone_and_prints_the_page_of_model_training(tmp_path, started):
    port, folder = free_port(), tmp_path / "a?b#c%20d"
    folder.mkdir()
    (folder / "mlflow.db").touch()
    result = start("--results", folder, "--port", port)
    assert (result.exit_code, result.exception) == (0, None)
    assert f"http://127.0.0.1:{port}/#/experiments/7/runs?workflowType=machine_learning" in result.output
    ((command, cwd),) = started
    assert (option(command, "--backend-store-uri"), cwd) == ("sqlite:///mlflow.db", folder)
    assert (option(command, "--host"), "--allowed-hosts" in command) == ("127.0.0.1", False)


def test_what_other_machines_may_reach_answers_to_the_names_of_this_one_alone(tmp_path, started):
    port, name = free_port(), socket.gethostname()
    (tmp_path / "mlflow.db").touch()
    result = start("--results", tmp_path, "--port", port, "--host", "0.0.0.0")  # noqa: S104
    assert f"http://{name}:{port}/#/" in result.output
    ((command, _),) = started
    assert {name, f"{name}:{port}", f"localhost:{port}"} <= {*option(command, "--allowed-hosts").split(",")}
    origins = option(command, "--cors-allowed-origins").split(",")
    assert f"http://{name}:{port}" in origins
    assert not any("*" in word for word in command)


def test_it_answers_to_every_address_of_this_machine_and_to_names_of_the_environment(tmp_path, started, monkeypatch):
    port, addresses = free_port(), {socket.AF_INET: "192.0.2.7", socket.AF_INET6: "2001:db8::7"}
    monkeypatch.setattr(ui, "_own_address", lambda family, _: addresses[family])
    monkeypatch.setattr(ui.socket, "gethostname", lambda: "node7.cluster.example")
    monkeypatch.setattr(ui.socket, "getfqdn", lambda: "localhost")
    monkeypatch.setattr(ui.socket, "getaddrinfo", lambda *_: [(0, 0, 0, "", ("127.0.0.1", 0))])
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow.example, ours, proxy.example:8080")
    (tmp_path / "mlflow.db").touch()
    output = start("--results", tmp_path, "--port", port, "--host", "0.0.0.0").output  # noqa: S104
    told = "node7.cluster.example, node7.local, 192.0.2.7"
    assert f"it answers to {told}; by another name in $MLFLOW_SERVER_ALLOWED_HOSTS" in output
    ((command, _),) = started
    hosts = {*option(command, "--allowed-hosts").split(",")}
    origins = {*option(command, "--cors-allowed-origins").split(",")}
    names = ("192.0.2.7", "node7.local", "mlflow.example", "ours")
    assert {f"{name}:{port}" for name in names} | {"mlflow.example", "proxy.example:8080"} <= hosts
    assert {f"http://{name}:{port}" for name in names} <= origins
    assert {"https://mlflow.example", "https://proxy.example:8080"} <= origins  # a proxy that speaks https
    assert not {name for name in hosts if "2001:db8::7" in name}  # nothing listens there
    assert ui._in_address(ui._names("::")[-1]) == "[2001:db8::7]"


def test_a_port_in_use_and_a_foreign_address_are_one_sentence(tmp_path, started):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for words in (("--port", port), ("--host", "no.such.machine.invalid", "--port", free_port())):
            error = start("--results", tmp_path / "results", *words).exception
            assert isinstance(error, ConfigError)
            assert "choose another --port or --host" in str(error)
    assert started == []
    assert not (tmp_path / "results").exists()


def test_a_folder_that_has_nothing_to_show_is_refused_and_not_made(tmp_path, started, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host:5000")
    result = start("--results", tmp_path / "typo", "--port", free_port())
    assert isinstance(result.exception, ConfigError)
    assert "holds neither records nor MLflow's data base" in str(result.exception)
    assert "tracked at http://***@host:5000" in str(result.exception)
    assert (started, list(tmp_path.iterdir())) == ([], [])


def test_a_folder_of_records_is_shown_even_if_nothing_of_it_is_in_mlflow_yet(tmp_path, started):
    ResultStore(tmp_path).write(record())
    result = start("--results", tmp_path, "--port", free_port())
    assert (result.exit_code, len(started)) == (0, 1)
    assert (
        f"the page shows no run yet, since MLflow has none of {tmp_path}; this fills it: stbench sync" in result.output
    )


def test_a_page_that_is_not_of_the_address_in_the_environment_says_so(tmp_path, started, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@host:5000")
    (tmp_path / "mlflow.db").touch()
    told = start("--results", tmp_path, "--port", free_port()).output
    assert f"it shows the database of {tmp_path}; runs are tracked at http://***@host:5000, as $MLFLOW_TRACK" in told


def test_ctrl_c_is_the_way_to_stop_it(tmp_path, started, monkeypatch):
    def serve(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ui, "_serve", serve)
    (tmp_path / "mlflow.db").touch()
    result = start("--results", tmp_path, "--port", free_port())
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "MLflow's interface is stopped")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries
def test_only_a_store_without_runs_is_empty(tmp_path):
    store = MlflowStore.open(default_uri(tmp_path), tmp_path)
    assert store.is_empty()
    store.log(record())
    assert not store.is_empty()


def test_what_ends_the_command_ends_every_process_of_the_server(tmp_path, monkeypatch):
    class Stopped(subprocess.Popen):
        def wait(self, timeout=None):
            if timeout is not None:
                return super().wait(timeout)
            while not (tmp_path / "worker").exists():
                time.sleep(0.01)
            raise KeyboardInterrupt

    monkeypatch.setattr(ui.subprocess, "Popen", Stopped)
    with pytest.raises(KeyboardInterrupt):
        ui._serve(["sh", "-c", "sleep 100 & echo $! > part; mv part worker; wait"], dict(os.environ), tmp_path)
    assert gone([int((tmp_path / "worker").read_text())]) == []
