"""What packed files unpack to has a limit."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest

from bench import archives
from bench.archives import Unpacked, open_zip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 50_000)


def packed(folder: Path, content: bytes) -> Path:
    path = folder / "a.gz"
    path.write_bytes(gzip.compress(content))
    return path


def test_what_is_packed_as_texts_are_is_read_whole(tmp_path: Path) -> None:
    content = random.Random(0).randbytes(200_000)
    with packed(tmp_path, content).open("rb") as file, Unpacked(file) as stream:
        assert stream.read() == content
    with packed(tmp_path, bytes(40_000)).open("rb") as file, Unpacked(file) as stream:
        assert len(stream.read()) == 40_000


@pytest.mark.parametrize("read", ["read", "read1", "by pieces", "by lines"])
def test_what_unpacks_without_an_end_is_given_up(tmp_path: Path, read: str) -> None:
    with packed(tmp_path, b"0,0\n" * 1_000_000).open("rb") as file, Unpacked(file) as stream:
        readers = {
            "read": stream.read,
            "read1": lambda: [*iter(lambda: stream.read1(1000), b"")],
            "by pieces": lambda: [*iter(lambda: stream.read(1000), b"")],
            "by lines": lambda: [*io.TextIOWrapper(io.BufferedReader(stream))],
        }
        with pytest.raises(ValueError, match=r"it unpacks to more than .* GB, 100 times its size; unpack it, and look"):
            readers[read]()


def zipped(folder: Path, *contents: bytes) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(str(number), content)
    return folder / "a.zip"


def test_members_of_an_archive_have_a_limit_of_size_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        zipped(tmp_path, bytes(50_000), random.Random(0).randbytes(200_000)).open("rb") as file,
        open_zip(file) as archive,
    ):
        assert archive.namelist() == ["0", "1"]
    with (
        zipped(tmp_path, b"small", bytes(100_000)).open("rb") as file,
        pytest.raises(ValueError, match=r"^1 in it unpacks to 0\.0001 GB, more than 100 times its size there$"),
    ):
        open_zip(file)
    monkeypatch.setattr(archives, "MOST_MEMBERS", 1)
    with (
        zipped(tmp_path, b"1", b"2").open("rb") as file,
        pytest.raises(ValueError, match=r"^it holds 2 files, and no archive of more than 1 is read$"),
    ):
        open_zip(file)
