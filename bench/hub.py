"""The Hugging Face hub, or a mirror of it: which file is meant, and how it gets here.

A large file is brought by ``bench.download``, which goes on after breaks, and held against the digest that the hub
states; then the hub's own client finds it, and keeps its books. What is small is the client's from the start.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from bench.disguise import disguise
from bench.download import Download, DownloadError, Progress, alone, download
from bench.errors import WeightsError
from bench.known_weights import revision_of
from bench.patience import in_time

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

ANSWER_S: Final = 3.0  # the hub's time to answer, per connection
REACH_S: Final = 7.0  # and altogether, redirects and name servers included
SMALL_S: Final = 600.0  # for a file that the hub keeps in the repository itself
SILENCE: Final = "the hub does not answer"
NAME: Final = re.compile(r"[A-Za-z0-9_][\w.-]*")
SHA256: Final = re.compile(r"[0-9a-f]{64}")


class HubError(Exception):
    """Why a file is not here, as words that follow "because".

    Attributes:
        unreachable: Whether the hub does not answer, or must not be asked.
    """

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a repository on the hub.

    Attributes:
        repository: ``owner/name``, or ``name`` alone.
        file: Path within it, with forward slashes.
        revision: Branch, tag or commit; if it is left out, the commit that ``known_weights.toml`` pins, else "main".
        package: A Python package that carries the file in its folder ``weights``, if there is one.

    Raises:
        WeightsError: If the repository or the file is not a plain name or path.
    """

    repository: str
    file: str
    revision: str = ""
    package: str = ""

    def __post_init__(self) -> None:
        parts = self.repository.split("/")
        if len(parts) > 2 or not all(map(NAME.fullmatch, [*parts, *self.file.split("/")])):
            raise WeightsError(
                f"'{self.repository}' and '{self.file}' do not name a file on the hub as owner/name, path"
            )
        object.__setattr__(self, "revision", self.revision or revision_of(self.repository))

    def __str__(self) -> str:
        return f"{self.repository}/{self.file}"

    def within(self, folder: Path) -> Path:
        """Its path in a weights folder."""
        return folder / PurePosixPath(self.repository) / PurePosixPath(self.file)


def url_of(source: Source, commit: str | None = None) -> str:
    """The address of a file, at a commit or at the revision that it names."""
    from huggingface_hub import hf_hub_url

    return hf_hub_url(source.repository, source.file, revision=commit or source.revision)


def download_from_hub(
    source: Source, folder: Path | None, check: Callable[[Path, str], None], progress: Progress | None
) -> Path:
    """Download a file into a folder that is laid out as the hub is, or into the hub's cache.

    Args:
        source: The file.
        folder: The cache if it is None.
        check: Raises WeightsError if the file of a path is not the one of a name, or not whole; it is then not kept.
        progress: Told how many bytes of how many are here; a bar on the terminal if it is None.

    Raises:
        HubError: If it cannot be had.
        WeightsError: As ``check`` does.
    """
    from huggingface_hub import hf_hub_download

    _check_reachable(source)
    target = None if folder is None else folder / PurePosixPath(source.repository)
    late = DownloadError(f"did not end within {SMALL_S:.0f} seconds")
    try:
        _bring_large(source, target, check, progress)
        call = partial(hf_hub_download, source.repository, source.file, revision=source.revision, local_dir=target)
        path = Path(in_time(partial(call, etag_timeout=ANSWER_S), SMALL_S, late))  # what was brought, it finds
    except DownloadError as error:
        again = "; run the same command again to go on" if error.goes_on else ""
        raise HubError(f"the hub's copy {error}{again}") from error
    except (HubError, WeightsError):
        raise
    except Exception as error:  # the client, its transports and the disk have no error in common
        text = " ".join(str(error).partition("\n")[0].split())
        raise HubError(f"the download failed ({type(error).__name__}: {text})") from error
    try:
        check(path, source.file)
    except WeightsError:
        for file in {path.resolve(), path}:  # in the cache the one is a link to the other
            file.unlink(missing_ok=True)
        raise
    return path


def _bring_large(
    source: Source, target: Path | None, check: Callable[[Path, str], None], progress: Progress | None
) -> None:
    """Put a file whose digest the hub states where the hub's client looks for it.

    Raises:
        DownloadError, OSError: If it cannot be had, or not written.
        HubError: If it is not what the hub says, or no whole file.
    """
    from huggingface_hub import get_hf_file_metadata

    facts = in_time(
        lambda: get_hf_file_metadata(url_of(source), timeout=ANSWER_S), SMALL_S, DownloadError("does not answer")
    )
    digest = facts.etag or ""
    if not SHA256.fullmatch(digest):
        return
    final = _place(source, target, digest)
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f".{final.name}.part")
    with alone(part):
        if final.is_file() and _sha256(final) == digest:
            return
        wanted = _wanted(source, facts, digest, part)
        with _bar(source, facts.size, progress) as told:
            download(wanted, told)
        if problem := _problem(source, part, digest, check):
            wanted.drop()
            raise HubError(f"what the hub gave is {problem}, and was not kept")
        part.replace(final)


def _wanted(source: Source, facts: HfFileMetadata, digest: str, part: Path) -> Download:
    from huggingface_hub.utils._headers import build_hf_headers

    url = url_of(source, facts.commit_hash)
    plain = url.startswith("http:")  # a mirror that somebody named so
    return Download(url=url, part=part, sha256=digest, size=facts.size, headers=build_hf_headers(), plain=plain)


def _place(source: Source, target: Path | None, digest: str) -> Path:
    """Where the hub's client looks for a file: by its name in a folder, or by its digest in the cache."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if target is not None:
        return target / PurePosixPath(source.file)
    repository = repo_folder_name(repo_id=source.repository, repo_type="model")
    return Path(constants.HF_HUB_CACHE) / repository / "blobs" / digest


@contextmanager
def _bar(source: Source, size: int | None, progress: Progress | None) -> Iterator[Progress]:
    """The listener, or a bar of the hub's client; none without a terminal."""
    if progress is not None:
        yield progress
        return
    from huggingface_hub import utils

    made: Any = utils  # which exports its bar, but does not say so
    with made.tqdm(desc=str(source), total=size, unit="B", unit_scale=True, disable=None) as bar:

        def told(done: int, _: int | None) -> None:
            bar.update(done - bar.n)

        yield told


def _problem(source: Source, path: Path, digest: str, check: Callable[[Path, str], None]) -> str:
    """Why what was downloaded is not the file; empty if it is."""
    if disguised := disguise(path, source.file):
        return disguised
    if (found := _sha256(path)) != digest:
        return f"not what the hub says of it (sha256 {found[:12]}… where {digest[:12]}… is wanted)"
    try:
        check(path, source.file)
    except WeightsError as error:
        return str(error).partition(";")[0].removeprefix(f"{path} is ")
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_reachable(source: Source) -> None:
    """Ask the hub for one byte, since its client asks again for minutes where nobody answers."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise HubError("HF_HUB_OFFLINE is set", unreachable=True)
    reason = in_time(partial(_refusal, url_of(source)), REACH_S, HubError(SILENCE, unreachable=True))
    if reason:
        raise HubError(reason, unreachable=reason.startswith(SILENCE))


def _refusal(url: str) -> str | None:
    """Why the hub does not give this file, or None if it does."""
    import requests
    from huggingface_hub import get_token

    token = get_token()
    question = {"Range": "bytes=0-0", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        with requests.get(url, headers=question, timeout=ANSWER_S, stream=True) as answer:
            return None if answer.ok else f"the hub answers with status {answer.status_code}"
    except (requests.RequestException, ValueError) as error:  # ValueError: urllib's, of an address that is none
        return f"{SILENCE} ({type(error).__name__})"
