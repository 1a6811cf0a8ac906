"""A model hub on loopback, as far as the Hugging Face client needs one, and files of weights for it."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from torch import Tensor

COMMIT = "c" * 40


class Hub:
    """Serves files; those of weights lie behind a redirect to another host, as they do on the real one.

    Attributes:
        files: Contents by "owner/name/file".
        storage: Where the redirect leads.
        requests: "METHOD path" of every request.
        broken: Whether its storage fails when more than the first byte is asked for.
        digests: What it says of a file in place of its sha256, by "owner/name/file".
        cuts: Bytes after which the next answers of its storage break off.
        ranges: What part of a file was asked for of its storage, or "".
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.broken = False
        self.digests: dict[str, str] = {}
        self.cuts: list[int] = []
        self.ranges: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        self.storage = f"http://localhost:{self.server.server_port}/cdn"  # another host, to the client

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.requests.append(f"{request.command} {request.path}")
        part = request.headers.get("Range")
        asked = re.search(r"/resolve/([^/]+)/", request.path)
        path = re.sub(r"/resolve/[^/]+/", "/", request.path.removeprefix("/cdn"), count=1).lstrip("/")
        body = self.files.get(path)
        if body is None or (self.broken and part != "bytes=0-0" and request.path.startswith("/cdn")):
            self._reply(request, 404 if body is None else 500, {}, b"")
            return
        digest = self.digests.get(path) or hashlib.sha256(body).hexdigest()
        commit = asked[1] if asked and asked[1] != "main" else COMMIT
        if request.path.startswith("/cdn"):
            self.ranges.append(part or "")
        facts = {"ETag": f'"{digest}"', "X-Repo-Commit": commit}
        if path.endswith(".safetensors") and not request.path.startswith("/cdn"):
            linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(body))}
            self._reply(request, 302, facts | linked | {"Location": f"{self.storage}/{path}"}, b"")
        elif part:
            first, last = part.removeprefix("bytes=").split("-")
            piece = body[int(first) : int(last) + 1 if last else None]
            span = f"bytes {first}-{int(first) + len(piece) - 1}/{len(body)}"
            self._reply(request, 206, facts | {"Content-Range": span}, piece)
        else:
            self._reply(request, 200, facts, body)

    def _reply(self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        whole = request.headers.get("Range") != "bytes=0-0" and request.path.startswith("/cdn")
        cut = self.cuts.pop(0) if request.command == "GET" and whole and self.cuts else len(body)
        if request.command == "GET":
            with suppress(OSError):  # whoever asked may have gone
                request.wfile.write(body[:cut])


def point_at(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """What HF_ENDPOINT does, for a client that is imported already."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")


def safetensors(state: dict[str, Tensor]) -> bytes:
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in state.items()})


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
