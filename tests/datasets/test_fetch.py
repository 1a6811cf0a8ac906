from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.types import RawFile
from datasets import _fetch
from datasets._fetch import fetch

CONTENT = bytes(range(256)) * 4000  # about a megabyte, several chunks
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    statuses: list[int] = field(default_factory=list)  # of the next answers, before the file
    location: str | None = None
    seen: list[str | None] = field(default_factory=list)  # the Range of each request


@dataclass
class Server:
    url: str
    does: Behaviour


def handler(does: Behaviour) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            does.seen.append(asked)
            if does.statuses:
                return self.answer(does.statuses.pop(0), b"no", {})
            if does.location:
                return self.answer(302, b"", {"Location": does.location})
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and does.ranges else 0
            if start and start >= len(does.content):
                return self.answer(416, b"", {})
            size = len(does.content)
            headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
            return self.answer(206 if start else 200, does.content[start:], headers)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            cut = does.cuts.pop(0) if does.cuts and status < 300 else len(body)
            self.wfile.write(body[:cut])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    does = Behaviour()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(does)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Server(f"http://127.0.0.1:{http.server_port}/files/flow.npz", does)
        http.shutdown()
        thread.join()


def quiet(done: int, total: int | None) -> None:
    """A listener that does not listen."""


def refuses(call: Callable[[], object], pattern: str) -> str:
    """Check that the call fails with one sentence and return it."""
    with pytest.raises(DataError, match=pattern) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    return text


def wanted(server: Server, sha256: str | None = DIGEST, name: str = "flow.npz") -> RawFile:
    return RawFile(name=name, sha256=sha256, url=server.url)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_arrives_whole_and_the_progress_ends_at_its_size(server: Server, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    path = fetch(wanted(server), tmp_path / "taxi", lambda done, total: steps.append((done, total)))
    assert path == tmp_path / "taxi" / "flow.npz"
    assert path.read_bytes() == CONTENT
    assert steps[0] == (0, len(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert len(steps) > 3
    assert leftovers(tmp_path) == ["flow.npz"]


def test_a_right_file_is_left_alone_without_asking_the_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "flow.npz").write_bytes(CONTENT)
    fetch(wanted(server), tmp_path, quiet)
    assert server.does.seen == []


def test_a_wrong_file_is_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "flow.npz").write_bytes(b"half of it")
    fetch(wanted(server), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


def test_a_file_whose_digest_nobody_knows_is_kept_as_it_is(server: Server, tmp_path: Path) -> None:
    (tmp_path / "flow.npz").write_bytes(b"the user's")
    fetch(wanted(server, sha256=None), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == b"the user's"


def test_an_earlier_part_is_continued_and_not_repeated(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".flow.npz.part").write_bytes(CONTENT[:300_000])
    steps: list[int] = []
    fetch(wanted(server), tmp_path, lambda done, _: steps.append(done))
    assert server.does.seen == ["bytes=300000-"]
    assert steps[0] == 300_000
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.does.cuts = [400_000, 200_000]
    fetch(wanted(server), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT
    first, *others = server.does.seen
    assert first is None
    assert len(others) == 2
    assert all(asked and re.fullmatch(r"bytes=[1-9]\d+-", asked) for asked in others)


def test_a_server_that_keeps_breaking_off_is_one_sentence_and_keeps_what_came(server: Server, tmp_path: Path) -> None:
    server.does.cuts = [100_000] * 10
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "broke off 4 times; run the same command again")
    assert leftovers(tmp_path) == [".flow.npz.part"]
    server.does.cuts = []
    fetch(wanted(server), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


def test_without_a_digest_a_broken_transfer_starts_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".flow.npz.part").write_bytes(b"of another version")
    server.does.cuts = [400_000]
    fetch(wanted(server, sha256=None), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT
    assert server.does.seen == [None, None]


def test_a_server_that_ignores_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    server.does.ranges = False
    (tmp_path / ".flow.npz.part").write_bytes(CONTENT[:300_000])
    fetch(wanted(server), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


def test_a_part_that_is_complete_already_needs_nothing_more(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".flow.npz.part").write_bytes(CONTENT)
    fetch(wanted(server), tmp_path, quiet)
    assert leftovers(tmp_path) == ["flow.npz"]


def test_another_content_than_the_cards_is_refused_and_not_kept(server: Server, tmp_path: Path) -> None:
    server.does.content = b"<html>please log in</html>"
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), f"gave flow.npz with sha256 .* wants {DIGEST[:12]}")
    assert leftovers(tmp_path) == []


def test_a_wrong_answer_does_not_replace_what_is_there(server: Server, tmp_path: Path) -> None:
    server.does.content = b"<html>please log in</html>"
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
    monkeypatch.setattr(_fetch, "BACKOFF", 0.0)
    server.does.statuses = [503] * 20
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "answered 503")
    assert len(server.does.seen) == 4


def test_a_refused_connection_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_fetch, "BACKOFF", 0.0)
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


@pytest.mark.parametrize("name", ["../flow.npz", "/etc/flow.npz", "a/../../flow.npz", "..\\flow.npz", "", ".", "a/.."])
def test_a_name_that_leaves_the_folder_is_refused(name: str, server: Server, tmp_path: Path) -> None:
    refuses(lambda: fetch(wanted(server, name=name), tmp_path / "taxi", quiet), "does not stay below")
    assert server.does.seen == []


def test_a_link_out_of_the_folder_is_not_followed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taxi").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "taxi" / "link").symlink_to(tmp_path / "elsewhere")
    refuses(lambda: fetch(wanted(server, name="link/flow.npz"), tmp_path / "taxi", quiet), "does not stay below")


def test_a_name_may_have_a_folder_of_its_own(server: Server, tmp_path: Path) -> None:
    assert fetch(wanted(server, name="raw/flow.npz"), tmp_path, quiet).read_bytes() == CONTENT


def test_a_file_without_address_is_one_sentence(tmp_path: Path) -> None:
    refuses(lambda: fetch(RawFile(name="flow.npz"), tmp_path, quiet), "no address")


def test_a_folder_that_cannot_be_made_is_one_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taxi").write_bytes(b"a file where the folder should be")
    refuses(lambda: fetch(wanted(server), tmp_path / "taxi", quiet), "cannot be written")
