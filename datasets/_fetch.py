"""Downloads of raw files: encrypted, resumable, checked against their digest, and in place only when complete."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from bench.disguise import disguise
from bench.download import Download, DownloadError, Progress, alone, download
from bench.errors import DataError
from bench.types import RawFile


def fetch(file: RawFile, folder: Path, progress: Progress) -> Path:
    """Download one raw file into ``folder`` unless it is there already.

    What arrives is kept in ``.<name>.part``, and a later call goes on from its end. A file that is present stays as it
    is when its digest is right or not known.

    Returns:
        The file's path.

    Raises:
        DataError: If the file has no address, lies outside ``folder``, cannot be had, or is not what the card says.
    """
    target = _inside(folder, file.name)
    if _is_here(file, target):
        return target
    if file.url is None:
        raise DataError(f"{file.name} has no address to fetch it from; download it by hand into {folder}")
    part = target.with_name(f".{target.name}.part")  # hidden, so that no reader takes it for data
    with _one_sentence(file.url, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(part):
            if not _is_here(file, target):  # another process brought it meanwhile
                wanted = Download(url=file.url, part=part, sha256=file.sha256)
                download(wanted, progress)
                _check(file, wanted)
                part.replace(target)
    return target


def _inside(folder: Path, name: str) -> Path:
    pure = PurePosixPath(name)
    target = (folder / pure).resolve()
    unsafe = pure.is_absolute() or ".." in pure.parts or "\\" in name or not pure.parts
    if unsafe or not target.is_relative_to(folder.resolve()):
        raise DataError(f"the file name '{name}' does not stay below {folder}; correct the card's files")
    return target


def _is_here(file: RawFile, target: Path) -> bool:
    return target.is_file() and (file.sha256 is None or _digest(target) == file.sha256)


@contextmanager
def _one_sentence(url: str, target: Path) -> Iterator[None]:
    try:
        yield
    except DownloadError as error:
        again = "run the same command again to go on" if error.goes_on else "try again later"
        raise DataError(f"{url} {error}; {again}, or download it by hand to {target}") from error
    except OSError as error:
        raise DataError(
            f"{target} cannot be written: {error.strerror or error}; free space or choose another folder"
        ) from error


def _check(file: RawFile, wanted: Download) -> None:
    found, disguised = _digest(wanted.part), disguise(wanted.part, file.name)
    if found == file.sha256 or (file.sha256 is None and not disguised):
        return
    wanted.drop()
    meant = f"with sha256 {found[:12]}… where the card wants {(file.sha256 or '')[:12]}…"
    given = f"gave {disguised} for {file.name}" if disguised else f"gave {file.name} {meant}"
    raise DataError(
        f"{file.url} {given}; nothing was kept, so try again, or look at the source: the file may have been "
        "changed there"
    )


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
