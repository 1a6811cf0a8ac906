"""Files that appear whole, or not at all, whoever else writes and whatever the disk does."""

from __future__ import annotations

import errno
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

import pytest

from bench.files import atomic_write, create, move, network_file_system


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links."""

    def refuse(source: Path, target: Path) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes what is written, and says only when it is synced that there was no room."""

    def refuse(handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_replaced_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    for text in ("first", "second"):
        with atomic_write(path) as part:
            part.write_text(text)
            assert part.parent == path.parent
            assert part.name.startswith(".")
            assert part.suffix == ".tmp"
            assert files(tmp_path).get("a.txt") == (None if text == "first" else "first")
    assert files(tmp_path) == {"a.txt": "second"}


def test_an_error_while_writing_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("kept")

    def write_half() -> NoReturn:
        with atomic_write(path) as part:
            part.write_text("hal")
            raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        write_half()
    assert files(tmp_path) == {"a.txt": "kept"}


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("kept")
    with pytest.raises(OSError, match="No space left"), atomic_write(tmp_path / "a.txt") as part:
        part.write_text("new")
    with pytest.raises(OSError, match="No space left"):
        create(tmp_path / "b.txt", b"new", tmp_path / "lock")
    assert files(tmp_path) == {"a.txt": "kept"}


def test_a_write_that_is_cut_short_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(path: Path, content: bytes) -> NoReturn:
        path.write_text(content[:2].decode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(OSError, match="No space left"):
        create(tmp_path / "a.txt", b"new", tmp_path / "lock")
    assert files(tmp_path) == {}


def test_what_was_never_written_is_an_error_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a.txt"):
        pass
    assert files(tmp_path) == {}


def test_a_file_that_is_there_is_not_created_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    assert create(path, b"first", tmp_path / "lock")
    assert not create(path, b"second", tmp_path / "lock")
    assert files(tmp_path) == {"a.txt": "first"}


@pytest.mark.usefixtures("no_links")
def test_a_file_is_created_once_without_hard_links_too(tmp_path: Path) -> None:
    path, lock = tmp_path / "folder" / "a.txt", tmp_path / "locks" / "lock"
    assert create(path, b"first", lock)
    assert not create(path, b"second", lock)
    assert files(path.parent) == {"a.txt": "first"}


def test_an_error_of_another_sort_is_not_taken_for_a_lack_of_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> NoReturn:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(OSError, match="the disk is broken"):
        create(tmp_path / "a.txt", b"first", tmp_path / "lock")
    assert files(tmp_path) == {}


def test_a_file_moves_to_a_free_name_only(tmp_path: Path) -> None:
    check_moves(tmp_path)
    assert not (tmp_path / "lock").exists()


@pytest.mark.usefixtures("no_links")
def test_a_file_moves_to_a_free_name_only_without_hard_links_too(tmp_path: Path) -> None:
    check_moves(tmp_path)


def check_moves(folder: Path) -> None:
    source, taken, free = folder / "source", folder / "taken", folder / "free"
    source.write_text("mine")
    taken.write_text("theirs")
    assert not move(source, taken, folder / "lock")
    assert (source.read_text(), taken.read_text()) == ("mine", "theirs")
    assert move(source, free, folder / "lock")
    assert (source.exists(), free.read_text()) == (False, "mine")
    with pytest.raises(FileNotFoundError):
        move(source, folder / "other", folder / "lock")


def test_what_was_written_is_synced_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[bool] = []
    sync = os.fsync

    def watched(handle: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(handle).st_mode))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    with atomic_write(tmp_path / "a.txt") as part:
        part.write_text("first")
    assert synced == [False, True]
    assert create(tmp_path / "b.txt", b"first", tmp_path / "lock")
    assert synced == [False, True] * 2
    assert move(tmp_path / "a.txt", tmp_path / "c.txt", tmp_path / "lock")
    assert synced == [False, True] * 2 + [True]


def race(folder: Path, worker: int, with_links: bool, barrier: Any, answers: Any) -> None:
    if not with_links:
        os.link = lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no hard links here"))
    (folder / f"source{worker}").write_text(str(worker))
    barrier.wait()
    content, lock = str(worker).encode(), folder / "lock"
    created = [number for number in range(20) if create(folder / f"file{number}", content, lock)]
    answers.put((worker, created, move(folder / f"source{worker}", folder / "target", lock)))


@pytest.mark.parametrize("with_links", [True, False])
def test_of_processes_that_race_for_a_name_exactly_one_wins(tmp_path: Path, with_links: bool) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    workers = [context.Process(target=race, args=(tmp_path, n, with_links, barrier, answers)) for n in range(2)]
    for worker in workers:
        worker.start()
    won = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sorted(number for _, created, _ in won for number in created) == list(range(20))
    for worker, created, _ in won:
        assert all((tmp_path / f"file{number}").read_text() == str(worker) for number in created)
    (winner,) = [worker for worker, _, moved in won if moved]
    assert (tmp_path / "target").read_text() == str(winner)
    assert (tmp_path / f"source{1 - winner}").exists()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("path", "system"),
    [
        ("/home/ann/results", "nfs4"),
        ("/home", "nfs4"),
        ("/homes/results", None),
        ("/home/scratch/results", None),
        ("/home/my group/results", "fuse.sshfs"),
        ("/fast/results", "lustre"),
        ("/results", None),
    ],
)
def test_a_folder_on_a_network_file_system_is_told_from_a_local_one(path: str, system: str | None, tmp_path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/scratch xfs rw 0 0\n"
        "ann@host: /home/my\\040group fuse.sshfs rw 0 0\n/dev/sdc /fast ext4 rw 0 0\n"
        "disks@tcp:/fast /fast lustre rw 0 0\n"
    )
    assert network_file_system(Path(path), mounts) == system


def test_where_the_system_lists_no_mounts_no_file_system_is_known(tmp_path) -> None:
    assert network_file_system(tmp_path, tmp_path / "absent") is None
