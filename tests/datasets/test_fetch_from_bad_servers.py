"""What servers say and send in place of the file: one sentence for each, and nothing wrong is kept."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from file_server import CONTENT, DIGEST, Server, leftovers, quiet, refuses, wanted

from bench import connection, patience
from bench import download as transfer
from bench.types import RawFile
from datasets._fetch import fetch


@pytest.mark.parametrize("sha256", [DIGEST, None])
@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"Content-Length": "abc"}, "says that its size is 'abc', which is none"),
        ({"Content-Length": "-5"}, "says that its size is '-5', which is none"),
        ({"Content-Length": str(10**15)}, r"is 1e\+06 GB long, and no file of more than 8.59 GB is taken"),
        ({"Content-Encoding": "gzip"}, r"sends the file compressed \(gzip\)"),
    ],
)
def test_odd_headers_are_one_sentence_and_leave_nothing(
    server: Server, tmp_path: Path, sha256: str | None, headers: dict[str, str], says: str
) -> None:
    server.does.headers = headers
    refuses(lambda: fetch(wanted(server, sha256), tmp_path, quiet), says)
    assert leftovers(tmp_path) == []


def test_a_size_that_a_proxy_says_twice_is_one_size(server: Server, tmp_path: Path) -> None:
    server.does.headers = {"Content-Length": f"{len(CONTENT)}, {len(CONTENT)}"}
    fetch(wanted(server, sha256=None), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


@pytest.mark.parametrize("location", ["http://[::bad", "https://exa mple:99999/x", "file:///etc/hostname", "SELF"])
def test_odd_redirects_are_one_sentence(server: Server, tmp_path: Path, location: str) -> None:
    server.does.location = location.replace("SELF", server.url)
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "leads (to, an address that is n|from address to address)")
    assert leftovers(tmp_path) == []


def test_a_file_that_does_not_end_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MOST", 500_000)
    server.does.headers = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    server.does.content = b"".join(b"10000\r\n" + bytes(0x10000) + b"\r\n" for _ in range(10))
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "does not end: no file of more than 500 kB is taken")
    assert leftovers(tmp_path) == []


def test_a_file_that_is_not_here_in_time_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "TOTAL_S", -1.0)
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "was not here after .* hours; run the same command again")


def test_a_server_that_never_begins_to_answer_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "ANSWER_S", 0.2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = RawFile(name="flow.npz", url=f"http://127.0.0.1:{silent.getsockname()[1]}/flow.npz")
        refuses(lambda: fetch(file, tmp_path, quiet), "did not begin to answer within 0 seconds; try again later")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\n <!-- x --> <!DOCTYPE html><html>please log in</html>", "gave a web page for flow.npz"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
            "gave a Git LFS pointer, not what it",
        ),
        (b"", "gave nothing for flow.npz"),
    ],
)
@pytest.mark.parametrize("sha256", [DIGEST, None])
def test_what_is_no_file_of_data_is_named_and_not_kept(
    server: Server, tmp_path: Path, content: bytes, says: str, sha256: str | None
) -> None:
    server.does.content = content
    refuses(lambda: fetch(wanted(server, sha256), tmp_path, quiet), says)
    assert leftovers(tmp_path) == []


def test_a_page_may_be_what_is_wanted(server: Server, tmp_path: Path) -> None:
    server.does.content = b"<html></html>"
    fetch(wanted(server, None, "about.html"), tmp_path, quiet)
    assert leftovers(tmp_path) == ["about.html"]


def test_another_content_than_the_cards_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.does.content = b"of another version"
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), f"gave flow.npz with sha256 .* wants {DIGEST[:12]}")
    assert leftovers(tmp_path) == []


def test_a_wrong_answer_does_not_replace_what_is_there(server: Server, tmp_path: Path) -> None:
    server.does.content = b"of another version"
    (tmp_path / "flow.npz").write_bytes(b"the user's")
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "sha256")
    assert leftovers(tmp_path) == ["flow.npz"]
    assert (tmp_path / "flow.npz").read_bytes() == b"the user's"


def test_a_missing_page_is_one_sentence(server: Server, tmp_path: Path) -> None:
    server.does.statuses = [404]
    refuses(
        lambda: fetch(wanted(server), tmp_path, quiet),
        "answered 404 Not Found, not the file; try again later, or download",
    )
    assert leftovers(tmp_path) == []


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.does.statuses = [503, 503]
    fetch(wanted(server), tmp_path, quiet)
    assert len(server.does.seen) == 3


def test_a_server_that_stays_busy_is_one_sentence(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF", 0.0)
    server.does.statuses = [503] * 20
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "answered 503")
    assert len(server.does.seen) == 4


def test_a_refused_connection_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        file = RawFile(name="flow.npz", url=f"http://127.0.0.1:{taken.getsockname()[1]}/flow.npz")
        refuses(lambda: fetch(file, tmp_path, quiet), "cannot be reached .*by hand to")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/flow.npz",
        "http://127.0.0.1.example.org/flow.npz",
        "http://localhost.example.org:80/flow.npz",
        "ftp://127.0.0.1/flow.npz",
        "file:///etc/hostname",
    ],
)
def test_an_address_without_encryption_is_refused(url: str, tmp_path: Path) -> None:
    refuses(lambda: fetch(RawFile(name="flow.npz", url=url), tmp_path, quiet), "not https")


def test_user_names_do_not_disguise_a_foreign_host_as_this_computer(tmp_path: Path) -> None:
    file = RawFile(name="flow.npz", url="http://127.0.0.1:80@example.org/flow.npz")
    refuses(lambda: fetch(file, tmp_path, quiet), "not https")


def test_a_redirect_away_from_encryption_is_refused(server: Server, tmp_path: Path) -> None:
    server.does.location = "http://example.org/flow.npz"
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "leads to, an address that is not https")
