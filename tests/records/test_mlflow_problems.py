"""What goes wrong with MLflow is told in a sentence: its form, a server that is away or shut, and the whole remedy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from records import record
from servers import free_port
from tracked import follow

from bench.errors import TrackingError
from bench.records.mlflow_address import VARIABLE, check_form, default_uri, sync_command
from bench.records.mlflow_problems import problem
from bench.records.tracking import Tracker, records_from, sync

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries
PAGE = b"<!doctype html><title>a page</title>"


@contextmanager
def answering(status: int, body: bytes = PAGE) -> Iterator[str]:
    """A server that answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - a handler's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, "wants a login (401): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or"),
        (403, "does not let this user in (403): set MLFLOW_TRACKING_USERNAME"),
        (404, "but not as an MLflow server (404); check the address"),
        (200, "is no MLflow server; check the address"),
        (400, "answers with an error (400)"),
    ],
)
def test_an_answer_that_is_not_mlflows_is_a_sentence_without_its_page(
    status: int, sentence: str, tmp_path: Path
) -> None:
    with answering(status) as uri:
        with pytest.raises(TrackingError) as caught:
            sync([record()], uri, tmp_path)
        told = str(caught.value)
    assert uri in told
    assert sentence in told
    assert "<" not in told


def test_of_any_other_error_no_page_is_shown() -> None:
    told = problem(RuntimeError("it went wrong. Response body: '<html>a page"), "http://host:5000")
    assert told == "MLflow at http://host:5000 does not work (it went wrong)"


def test_where_nothing_answers_the_sentence_says_so_and_the_whole_command_that_fills_it_in(tmp_path: Path) -> None:
    uri, told = f"http://127.0.0.1:{free_port()}", list[str]()
    with Tracker(uri, tmp_path / "my results", warn=told.append) as tracker:
        follow(tracker, record())
    (sentence,) = told
    assert sentence.startswith(f"nothing answers at {uri}; check")
    assert sentence.endswith(f": stbench sync --results '{tmp_path / 'my results'}' --tracking-uri {uri}")


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("127.0.0.1:5320", "did you mean http://127.0.0.1:5320?"),
        ("localhost:5000", "did you mean http://localhost:5000?"),
        ("banana", "write http://HOST:PORT of a server"),
        ("mlruns/", "write http://HOST:PORT of a server"),
        ("http://host:1/api", "did you mean http://host:1?"),
        ("http://me:secret@host:1/api/2.0/mlflow", r"did you mean http://***@host:1?"),
        ("http://me:pa#ss@host", "a '#' in a name or password is written %23"),
        ("http://host:1/lab/#/experiments/1/runs", "did you mean http://host:1/lab?"),
        ("http:///host", "write http://HOST:PORT"),
        ("results/mlflow.db", "did you mean sqlite:///results/mlflow.db?"),
        ("postgres://me:secret@host/runs", "write http://HOST:PORT of a server"),
    ],
)
def test_what_is_no_address_is_refused_before_anybody_is_asked(uri: str, meant: str) -> None:
    for act in (check_form, records_from):
        with pytest.raises(TrackingError) as caught:
            act(uri)
        assert "is no address of MLflow" in str(caught.value)
        assert meant in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "http://host:5000/",
        "https://host/mlflow",
        "https://host/team-api",
        "sqlite:///results/mlflow.db",
        "sqlite+pysqlite:///x.db",
        "postgresql+psycopg://me@host/runs",
        "file:///srv/mlruns",
        "databricks",
        "databricks://profile",
    ],
)
def test_what_may_be_an_address_is_none_of_our_business(uri: str) -> None:
    check_form(uri)


def test_the_command_that_fills_in_names_what_is_not_usual_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, other = Path("results"), Path("my results")
    server = "http://me:secret@host:5000"
    assert sync_command(default_uri(usual), usual) == "stbench sync"
    assert sync_command(default_uri(other), other) == "stbench sync --results 'my results'"
    assert sync_command(server, usual) == "stbench sync --tracking-uri 'http://***@host:5000'"
    assert sync_command("sqlite:////srv/runs.db") == "stbench sync --tracking-uri sqlite:////srv/runs.db"
    assert sync_command("sqlite:////srv/a/mlflow.db") == "stbench sync --results /srv/a"
    monkeypatch.setenv(VARIABLE, server)
    assert sync_command(default_uri(usual), usual) == f"stbench sync --tracking-uri {default_uri(usual)}"
