from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import connection, patience
from bench import download as transfer
from bench.errors import DataError
from bench.types import RawFile
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
    marks: list[str | None] = field(default_factory=list)  # the If-Range of each request
    headers: dict[str, str] = field(default_factory=dict)  # of each answer with the file, in place of its own


@dataclass
class Server:
    url: str
    does: Behaviour


def handler(does: Behaviour) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            does.seen.append(asked)
            does.marks.append(self.headers.get("If-Range"))
            if does.statuses:
                return self.answer(does.statuses.pop(0), b"no", {})
            if does.location:
                return self.answer(302, b"", {"Location": does.location})
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and does.ranges else 0
            if start and start >= len(does.content):
                return self.answer(416, b"", {})
            size = len(does.content)
            headers = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if start else {}
            mark, held = does.headers.get("ETag"), self.headers.get("If-Range")
            if start and held is not None and held != mark:
                start, headers = 0, {}
            return self.answer(206 if start else 200, does.content[start:], headers | does.headers)

        def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                if value:
                    self.send_header(key, value)
            self.end_headers()
            cut = does.cuts.pop(0) if does.cuts and status < 300 else len(body)
            with contextlib.suppress(OSError):  # whoever asked may have gone
                self.wfile.write(body[:cut])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "PAUSE_S", 0.0)
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
    server.does.cuts = [100_000, *[0] * 10]
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "broke off 5 times; run the same command again to go on")
    assert leftovers(tmp_path) == [".flow.npz.part", ".flow.npz.part.json"]
    assert (tmp_path / ".flow.npz.part").read_bytes() == CONTENT[:100_000]
    server.does.cuts = []
    fetch(wanted(server), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


def test_a_part_of_which_nothing_is_known_is_no_beginning(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".flow.npz.part").write_bytes(b"of another version")
    fetch(wanted(server, sha256=None), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT
    assert server.does.seen == [None]


@pytest.mark.parametrize("mark", ["", '"v1"'])
@pytest.mark.parametrize("sha256", [DIGEST, None])
def test_breaks_of_any_size_lose_nothing_with_or_without_a_digest(
    server: Server, tmp_path: Path, sha256: str | None, mark: str
) -> None:
    server.does.headers = {"ETag": mark} if mark else {}
    server.does.cuts = [150_000, 5_000, 70_001, 1_000]
    fetch(wanted(server, sha256=sha256), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT
    proof = 0 if sha256 or mark else 256  # bytes that are sent again, to be compared
    ends = [150_000, 155_000 - proof, 225_001 - 2 * proof, 226_001 - 3 * proof]
    assert server.does.seen == [None, *(f"bytes={end - proof}-" for end in ends)]
    assert leftovers(tmp_path) == ["flow.npz"]


@pytest.mark.parametrize("mark", ["", '"v1"'])
def test_a_later_command_goes_on_without_a_digest_if_the_file_is_still_the_same(
    server: Server, tmp_path: Path, mark: str
) -> None:
    server.does.headers = {"ETag": mark} if mark else {}
    server.does.cuts = [300_000, *[0] * 4]
    refuses(lambda: fetch(wanted(server, sha256=None), tmp_path, quiet), "run the same command again to go on")
    server.does.seen.clear()
    fetch(wanted(server, sha256=None), tmp_path, quiet)
    assert server.does.seen == ["bytes=300000-" if mark else "bytes=299744-"]
    assert server.does.marks[-1] == (mark or None)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT


@pytest.mark.parametrize("marks", [("", ""), ('"v1"', '"v2"')])
@pytest.mark.parametrize("size", [len(CONTENT), len(CONTENT) - 5])
def test_two_versions_of_a_file_are_never_put_together(
    server: Server, tmp_path: Path, marks: tuple[str, str], size: int
) -> None:
    """The other version has the same size and another beginning and middle, or another size."""
    server.does.headers = {"ETag": marks[0]} if marks[0] else {}
    server.does.cuts = [300_000, *[0] * 4]
    refuses(lambda: fetch(wanted(server, sha256=None), tmp_path, quiet), "broke off")
    server.does.content = other = bytes(reversed(CONTENT))[:size]
    server.does.headers = {"ETag": marks[1]} if marks[1] else {}
    fetch(wanted(server, sha256=None), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == other


def test_another_part_than_was_asked_for_is_not_put_behind(server: Server, tmp_path: Path) -> None:
    (tmp_path / ".flow.npz.part").write_bytes(CONTENT[:300_000])
    server.does.headers = {"Content-Range": f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}"}
    fetch(wanted(server), tmp_path, quiet)
    assert (tmp_path / "flow.npz").read_bytes() == CONTENT
    assert server.does.seen == ["bytes=300000-", None]


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


def test_a_file_that_comes_too_slowly_is_given_up_and_what_came_is_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SLOW", (0.0, 10**9))
    refuses(
        lambda: fetch(wanted(server), tmp_path, quiet),
        "sends fewer than 1000000000 bytes in 0 seconds; run the same command again to go on",
    )
    assert leftovers(tmp_path) == [".flow.npz.part", ".flow.npz.part.json"]


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


def test_a_full_disk_is_known_before_anything_is_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "needs 1.02 MB more, and the disk has 1 kB free")
    assert leftovers(tmp_path) == []


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


def test_two_processes_bring_one_file_once(server: Server, tmp_path: Path) -> None:
    threads = [threading.Thread(target=fetch, args=(wanted(server), tmp_path, quiet)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.does.seen == [None]
    assert leftovers(tmp_path) == ["flow.npz"]


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
