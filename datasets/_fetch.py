"""Downloads of raw files: encrypted, resumable, checked against their digest, and in place only when complete."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.util import Retry, parse_url

from bench.errors import DataError
from bench.types import RawFile

TIMEOUT = (5.0, 30.0)  # seconds to connect, and between two pieces
ATTEMPTS = 4
BACKOFF = 0.3  # seconds before a busy server is asked again; doubles
CHUNK = 1 << 18
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

Progress: TypeAlias = Callable[[int, "int | None"], None]  # bytes so far, bytes in all where the server says so


class _BrokenTransferError(Exception):
    """The connection ended before the file did."""


def fetch(file: RawFile, folder: Path, progress: Progress) -> Path:
    """Download one raw file into ``folder`` unless it is there already.

    What arrives is kept in ``.<name>.part``, and a later call goes on from its end if the digest is known, which
    alone proves that the two ends fit. A file that is present stays as it is when its digest is right or not known.

    Returns:
        The file's path.

    Raises:
        DataError: If the file has no address, lies outside ``folder``, cannot be reached, or has another digest.
    """
    target = _inside(folder, file.name)
    if target.is_file() and (file.sha256 is None or _digest(target) == file.sha256):
        return target
    if file.url is None:
        raise DataError(f"{file.name} has no address to fetch it from; download it by hand into {folder}")
    part = target.with_name(f".{target.name}.part")  # hidden, so that no reader takes it for data
    with _one_sentence(file.url, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _transfer(file, file.url, part, progress)
        _check(file, part)
        part.replace(target)
    return target


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    target = (folder / pure).resolve()
    unsafe = pure.is_absolute() or ".." in pure.parts or "\\" in name or not pure.parts
    if unsafe or not target.is_relative_to(folder.resolve()):
        raise DataError(f"the file name '{name}' does not stay below {folder}; correct the card's files")
    return target


@contextmanager
def _one_sentence(url: str, target: Path) -> Iterator[None]:
    by_hand = f"try again later, or download it by hand to {target}"
    try:
        yield
    except _BrokenTransferError as error:
        raise DataError(
            f"{url} broke off {ATTEMPTS} times; run the same command again to go on, or {by_hand}"
        ) from error
    except requests.exceptions.InvalidSchema as error:
        raise DataError(f"{url} is, or leads to, an address that is not https; {by_hand}") from error
    except requests.HTTPError as error:
        answer = error.response
        raise DataError(f"{url} answered {answer.status_code} {answer.reason}, not the file; {by_hand}") from error
    except requests.RequestException as error:
        raise DataError(f"{url} cannot be reached ({type(error).__name__}); {by_hand}") from error
    except OSError as error:
        raise DataError(
            f"{target} cannot be written: {error.strerror or error}; free space or choose another folder"
        ) from error


def _transfer(file: RawFile, url: str, part: Path, progress: Progress) -> None:
    """Bring ``part`` to the file's full length, going on after a break."""
    with _session() as session:
        for left in reversed(range(ATTEMPTS)):
            if file.sha256 is None:
                part.unlink(missing_ok=True)
            try:
                _download(session, url, part, progress)
                break
            except _BrokenTransferError:
                if not left:
                    raise


class _Session(requests.Session):
    """Speaks https only, redirects included; plain http is left to servers on this very computer."""

    def get_adapter(self, url: str | bytes) -> BaseAdapter:
        url = url.decode() if isinstance(url, bytes) else url
        parts = parse_url(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.host in LOOPBACK):
            raise requests.exceptions.InvalidSchema(f"{parts.scheme} to {parts.host}")
        return super().get_adapter(url)


def _session() -> requests.Session:
    retry = Retry(
        total=ATTEMPTS - 1,
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
        respect_retry_after_header=False,  # a server may not make us wait for an hour
    )
    session = _Session()
    for prefix in ("https://", "http://"):
        session.mount(prefix, HTTPAdapter(max_retries=retry))
    session.headers["Accept-Encoding"] = "identity"  # a compressed transfer cannot be resumed
    return session


def _download(session: requests.Session, url: str, part: Path, progress: Progress) -> None:
    done = part.stat().st_size if part.exists() else 0
    headers = {"Range": f"bytes={done}-"} if done else {}
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if done and answer.status_code == requests.codes.requested_range_not_satisfiable:
            return  # nothing left to send: the digest says whether that is so
        answer.raise_for_status()
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            done = 0  # the server sends the whole file
        length = answer.headers.get("Content-Length")
        _append(answer, part, done, done + int(length) if length else None, progress)


def _append(answer: requests.Response, part: Path, done: int, total: int | None, progress: Progress) -> None:
    with part.open("ab" if done else "wb") as stream:
        progress(done, total)
        try:
            for piece in answer.iter_content(CHUNK):
                done += stream.write(piece)
                progress(done, total)
        except requests.RequestException as error:
            raise _BrokenTransferError from error


def _check(file: RawFile, part: Path) -> None:
    found = _digest(part)
    if file.sha256 is not None and found != file.sha256:
        part.unlink()
        raise DataError(
            f"{file.url} gave {file.name} with sha256 {found[:12]}… where the card wants {file.sha256[:12]}…; "
            f"nothing was kept, so try again, or look at the source: the file may have been changed there"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
