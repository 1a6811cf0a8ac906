"""Downloads over HTTP that go on where they broke off, and end: in size, in time, and where nothing comes any more.

What arrives is kept in a part, and beside it a note of what the server said of the file. A later answer is put behind
the part only if something shows that both are of one file: the digest that is wanted, the server's own mark of it
(``If-Range``), or else its size and the last bytes that are here.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from bench.patience import TOTAL_S, Pace, TooSlowError, in_time

if TYPE_CHECKING:
    import requests

Progress: TypeAlias = Callable[[int, "int | None"], None]  # bytes so far, bytes in all where the server says so

TIMEOUT: Final = (5.0, 30.0)  # seconds to connect, and between two pieces
ANSWER_S: Final = 90.0  # until an answer begins, redirects and repetitions included
MOST: Final = 8 << 30  # bytes of a file whose size is not known otherwise
FRUITLESS: Final = 4  # breaks in a row that brought nothing
BREAKS: Final = 100
PAUSE_S: Final = 0.3  # after a break that brought nothing
CHUNK: Final = 1 << 18
OVERLAP: Final = 256  # bytes that are compared where nothing else shows that two ends fit
RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class DownloadError(Exception):
    """Why a file did not come, as words that follow its address.

    Attributes:
        goes_on: Whether a later call begins where this one ended.
    """

    def __init__(self, reason: str, *, goes_on: bool = False) -> None:
        super().__init__(reason)
        self.goes_on = goes_on


class _BrokenError(Exception):
    """The answer ended before the file did, or does not fit to what is here."""


@dataclass(frozen=True, kw_only=True)
class Download:
    """What is wanted.

    Attributes:
        url: Its address.
        part: Where to put it, and where what came of it earlier is.
        sha256: Its digest, if that is known; whoever asks for the file compares it.
        size: Its bytes, if they are known.
        headers: Sent with each request.
        plain: Whether an address may be http; it always may on this computer.
    """

    url: str
    part: Path
    sha256: str | None = None
    size: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    plain: bool = False

    @property
    def here(self) -> int:
        """Bytes that are here already."""
        return self.part.stat().st_size if self.part.exists() else 0

    @property
    def note(self) -> Path:
        """The file of what the server said."""
        return self.part.with_name(f"{self.part.name}.json")

    def drop(self) -> None:
        """Forget what is here."""
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class _Note:
    """What the server said of the file: of which address, its size, and its mark for ``If-Range``, or ""."""

    url: str
    total: int | None = None
    mark: str = ""


def download(wanted: Download, progress: Progress) -> None:
    """Bring the part to its whole length; the caller checks it, and gives it its name.

    Raises:
        DownloadError: If the file cannot be had, or is larger or slower than any file should be.
        OSError: If it cannot be written.
    """
    from bench.connection import session

    pace, most, fruitless = Pace(), wanted.here, 0
    with session(wanted.headers, plain=wanted.plain) as connection:
        for broken in range(1, BREAKS + 1):
            try:
                _one_answer(connection, wanted, pace, progress)
            except TooSlowError as error:
                raise DownloadError(str(error), goes_on=True) from error
            except _BrokenError:
                most, fruitless = max(most, wanted.here), 0 if wanted.here > most else fruitless + 1
            else:
                wanted.note.unlink(missing_ok=True)
                return
            if fruitless == FRUITLESS or broken == BREAKS:
                if not wanted.here:
                    wanted.drop()
                raise DownloadError(f"broke off {broken} times", goes_on=wanted.here > 0)
            time.sleep(PAUSE_S * fruitless)


@contextmanager
def alone(part: Path) -> Iterator[None]:
    """Wait until no other process is at this part; whoever waited looks first whether the file is there now.

    Raises:
        DownloadError: If another process is at it for longer than any download may last.
        OSError: If the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(part.with_name(f"{part.name}.lock"))
    try:
        lock.acquire(timeout=TOTAL_S)
    except Timeout as error:
        raise DownloadError("is being downloaded by another process, which does not end") from error
    try:
        yield
    finally:
        with suppress(OSError):  # such as on a system that removes no open file
            Path(lock.lock_file).unlink()
        lock.release()


def _one_answer(connection: requests.Session, wanted: Download, pace: Pace, progress: Progress) -> None:
    """Ask once and keep what comes.

    Raises:
        _BrokenError: If that is not all.
    """
    note = _noted(wanted)
    if note is None and wanted.sha256 is None:
        wanted.drop()
    note = note or _Note(url=wanted.url)
    overlap = 0 if wanted.sha256 or note.mark else min(OVERLAP, wanted.here // 2)
    start = wanted.here - overlap
    with _asked(connection, wanted, note, start) as answer:
        if answer.status_code == 416:
            _check_end(answer, wanted, note)
            return
        total = _total_of(answer, wanted, note, start)
        _check_size(wanted, total)
        if answer.status_code == 200:
            wanted.drop()
            _write_note(wanted, answer, total)
        _keep(answer, wanted, overlap if start and answer.status_code == 206 else 0, total, pace, progress)


def _asked(connection: requests.Session, wanted: Download, note: _Note, start: int) -> requests.Response:
    import requests
    from urllib3.exceptions import HTTPError

    part = {"Range": f"bytes={start}-"} | ({"If-Range": note.mark} if note.mark else {}) if start else {}
    late, goes_on = f"did not begin to answer within {ANSWER_S:.0f} seconds", start > 0
    try:
        answer = in_time(
            lambda: connection.get(wanted.url, headers=part, stream=True, timeout=TIMEOUT),
            ANSWER_S,
            DownloadError(late, goes_on=goes_on),
        )
    except requests.exceptions.InvalidSchema as error:
        raise DownloadError("is, or leads to, an address that is not https") from error
    except requests.TooManyRedirects as error:
        raise DownloadError("leads from address to address without an end") from error
    except (requests.exceptions.InvalidURL, UnicodeError, ValueError) as error:  # ValueError: urllib's, of a host
        raise DownloadError("is, or leads to, an address that is none") from error
    except (requests.RequestException, HTTPError) as error:
        raise DownloadError(f"cannot be reached ({type(error).__name__})", goes_on=goes_on) from error
    if answer.status_code not in (200, 206, 416) or (answer.status_code != 200 and not start):
        answer.close()
        raise DownloadError(f"answered {answer.status_code} {_plain(answer.reason)}, not the file", goes_on=goes_on)
    return answer


def _check_end(answer: requests.Response, wanted: Download, note: _Note) -> None:
    """There is nothing behind what is here: that is all of it, or it is of another file."""
    said = answer.headers.get("Content-Range", "").removeprefix("bytes */")
    total = int(said) if said.isdecimal() else note.total
    if total not in (wanted.here, None) or (total is None and wanted.sha256 is None):
        wanted.drop()
        raise _BrokenError


def _total_of(answer: requests.Response, wanted: Download, note: _Note, start: int) -> int | None:
    """The size of the whole file, where the answer says it."""
    encoding, length = (answer.headers.get(name, "").strip() for name in ("Content-Encoding", "Content-Length"))
    if encoding.lower() not in ("", "identity"):
        raise DownloadError(f"sends the file compressed ({_plain(encoding)}), which was not asked for")
    if answer.headers.get("Transfer-Encoding"):
        length = ""  # which says nothing then
    sizes = {size.strip() for size in length.split(",") if size.strip()}  # a proxy may say it twice
    if len(sizes) > 1 or any(not (size.isascii() and size.isdecimal()) for size in sizes):
        raise DownloadError(f"says that its size is '{_plain(length)}', which is none")
    if answer.status_code == 200:
        return int(sizes.pop()) if sizes else wanted.size
    match = RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    total = int(match[3]) if match and match[3] != "*" else note.total
    etag = answer.headers.get("ETag")
    changed = note.total not in (total, None) or (note.mark.startswith('"') and etag not in (note.mark, None))
    if match is None or int(match[1]) != start or changed:  # not the part that was asked for, or of another file
        wanted.drop()
        raise _BrokenError
    return total


def _check_size(wanted: Download, total: int | None) -> None:
    if wanted.size is not None and total not in (wanted.size, None):
        wanted.drop()
        raise DownloadError(f"is {total} bytes long where {wanted.size} were said")
    most = MOST if wanted.size is None else wanted.size
    if (total or 0) > most:
        raise DownloadError(f"is {_read(total or 0)} long, and no file of more than {_read(most)} is taken")
    free, missing = shutil.disk_usage(wanted.part.parent).free, (total or 0) - wanted.here
    if missing > free:
        raise DownloadError(f"needs {_read(missing)} more, and the disk has {_read(free)} free", goes_on=True)


def _keep(
    answer: requests.Response, wanted: Download, overlap: int, total: int | None, pace: Pace, progress: Progress
) -> None:
    """Write what comes behind the part, once its first bytes were found to be the part's last ones."""
    done, most = wanted.here, MOST if wanted.size is None else wanted.size
    with wanted.part.open("a+b") as stream:
        stream.seek(done - overlap)
        known = stream.read(overlap)
        progress(done, total)
        for piece in _pieces(answer):
            pace.add(len(piece))
            same = min(len(piece), len(known))
            if piece[:same] != known[:same]:
                wanted.drop()
                raise _BrokenError
            known = known[same:]
            done += stream.write(piece[same:])
            if done > most:
                wanted.drop()
                raise DownloadError(f"does not end: no file of more than {_read(most)} is taken")
            progress(done, total)
    if known or (total is not None and done < total):
        raise _BrokenError


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """What arrives, as it arrives: nothing is lost of a piece that breaks off."""
    from urllib3.exceptions import HTTPError

    while True:
        try:
            piece = answer.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError, ValueError) as error:  # ValueError: http.client's, of a chunk's size
            raise _BrokenError from error
        if not piece:
            return
        yield piece


def _noted(wanted: Download) -> _Note | None:
    """What the server said when the part was begun; None if there is no such part, or it is of another address."""
    try:
        note = _Note(**json.loads(wanted.note.read_bytes()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    fits = note.url == wanted.url and isinstance(note.total, int | None) and isinstance(note.mark, str)
    return note if fits and wanted.here else None


def _write_note(wanted: Download, answer: requests.Response, total: int | None) -> None:
    etag = answer.headers.get("ETag", "")
    mark = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
    note = _Note(url=wanted.url, total=total, mark=mark if mark.isascii() and mark.isprintable() else "")
    wanted.note.write_text(json.dumps(asdict(note)), encoding="utf-8")


def _read(size: int) -> str:
    """A size, to be read."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size = size / 1000  # type: ignore[assignment]
    return f"{size:.3g} GB"


def _plain(text: object) -> str:
    """A server's words, fit for a sentence."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))[:60]
