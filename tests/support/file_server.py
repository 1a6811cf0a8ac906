"""A server on loopback that serves one file as well or as badly as a test wants, and what tests ask of a download."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.errors import DataError
from bench.types import RawFile

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


@contextlib.contextmanager
def serving() -> Iterator[Server]:
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
