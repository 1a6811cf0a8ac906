"""A raw file is fetched: whole, once, going on where it broke off, and only to where it belongs."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from file_server import CONTENT, DIGEST, Server, leftovers, quiet, refuses, wanted

from bench import download as transfer
from bench import patience
from bench.types import RawFile
from datasets._fetch import fetch


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


def test_a_file_that_comes_too_slowly_is_given_up_and_what_came_is_kept(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SLOW", (0.0, 10**9))
    refuses(
        lambda: fetch(wanted(server), tmp_path, quiet),
        "sends fewer than 1000000000 bytes in 0 seconds; run the same command again to go on",
    )
    assert leftovers(tmp_path) == [".flow.npz.part", ".flow.npz.part.json"]


def test_a_full_disk_is_known_before_anything_is_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    refuses(lambda: fetch(wanted(server), tmp_path, quiet), "needs 1.02 MB more, and the disk has 1 kB free")
    assert leftovers(tmp_path) == []


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
