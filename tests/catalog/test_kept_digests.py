"""Digests of code that are kept are those that would be worked out, whatever has become of the files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from projects import Project

from bench.catalog import code, code_files, kept_digests, registry
from bench.catalog.code import code_digest, code_of_scoring, codes_of
from bench.catalog.own_files import listed, names_the_file
from bench.errors import ConfigError

BEHIND = [("bikedc", "stid"), ("taxibj", "stvfm", "bikedc"), ("citybus", "ridge")]
OWN_MODEL = "from bench.types import TaskShape\n\nVALUE = 1\n\n\nclass Config: ...\n\n\nclass Model: ...\n"


@pytest.fixture(autouse=True)
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


def kept_file(project: Project) -> Path:
    return project.root / "bench" / "catalog" / "__pycache__" / f"code.{sys.implementation.cache_tag}.digests"


def in_a_new_process(behind: list[tuple[str, ...]] = BEHIND) -> dict[tuple[str, ...], str]:
    """Digests as a process has them that knows nothing of the files' contents yet."""
    kept_digests._state_of.cache_clear()
    return codes_of(behind)


def worked_out(project: Project) -> dict[tuple[str, ...], str]:
    kept_file(project).unlink(missing_ok=True)
    return in_a_new_process()


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch):
    """From its call on nothing can be worked out."""

    def forbid() -> None:
        def work(*_: object) -> None:
            raise AssertionError("a digest was worked out")

        monkeypatch.setattr(code, "_module_lines", work)
        monkeypatch.setattr(code, "_plugin_lines", work)

    return forbid


def test_they_are_worked_out_once_for_the_same_files(project: Project, no_work) -> None:
    first, scoring, reader = in_a_new_process(), code_of_scoring("bikedc"), code_digest((), [_reader("bikedc")])
    assert first == worked_out(project)
    code_of_scoring("bikedc"), code_digest((), [_reader("bikedc")])
    no_work()

    assert in_a_new_process() == first
    assert (code_of_scoring("bikedc"), code_digest((), [_reader("bikedc")])) == (scoring, reader)


def _reader(name: str) -> registry.Plugin:
    return registry.find("dataset", name)


def test_no_two_of_what_is_asked_for_are_mistaken_for_each_other(project: Project) -> None:
    worked_out(project)
    asked = [("bikedc", "stid"), ("taxibj", "stid"), ("bikedc", "ridge"), ("bikedc", "stid", "taxibj")]
    bikedc, taxibj = _reader("bikedc"), _reader("taxibj")
    some = [((), bikedc), ((), taxibj), (code.SCORING, bikedc), (code.SCORING, taxibj), (code.ROOTS, bikedc)]
    for _ in range(2):  # worked out, then kept
        digests = [*in_a_new_process(asked).values(), *(code_digest(modules, [reader]) for modules, reader in some)]
        assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("file", ["bench/train.py", "baselines/stid.py", "datasets/_unist.py", "stvfm/head.py"])
def test_an_edit_is_seen_although_size_and_time_of_change_stay(project: Project, file: str) -> None:
    path = project.root / file
    project.write(file, f"{path.read_text(encoding='utf-8')}\n\nFIRST = 1\n")
    before, looks = in_a_new_process(), path.stat()
    project.write(file, path.read_text(encoding="utf-8").replace("FIRST = 1", "FIRST = 2"))
    os.utime(path, ns=(looks.st_atime_ns, looks.st_mtime_ns))
    code_files._read.cache_clear()

    assert path.stat().st_size == looks.st_size
    assert in_a_new_process() == worked_out(project) != before


def test_a_file_that_takes_the_place_of_another_is_seen(project: Project) -> None:
    """An import that named nothing of ours finds a module now."""
    project.edit(
        "baselines/stid.py",
        "from bench.types",
        "try:\n    from . import _later\nexcept ImportError:\n    pass\nfrom bench.types",
    )
    before = in_a_new_process()
    project.write("baselines/_later.py", "VALUE = 1\n")

    assert in_a_new_process() == worked_out(project) != before


def test_what_is_edited_while_a_digest_is_worked_out_is_not_kept(project: Project) -> None:
    true, reader = worked_out(project), registry.find("model", "stid")
    kept_file(project).unlink()
    with code._digester(code.ROOTS) as digest_of:
        project.edit("baselines/stid.py", "hidden + changed", "hidden - changed")
        digest_of([_reader("bikedc"), reader])
    project.edit("baselines/stid.py", "hidden - changed", "hidden + changed")

    assert in_a_new_process() == true


def test_what_all_need_must_be_readable_although_a_plug_in_need_not(project: Project) -> None:
    project.write("baselines/stid.py", "def broken(:\n")
    assert codes_of(BEHIND, skip_unreadable=True).keys() == {pair for pair in BEHIND if pair[1] != "stid"}
    with pytest.raises(ConfigError, match=r"stid\.py cannot be read as Python"):
        codes_of(BEHIND)
    table = (project.root / kept_digests.EQUAL_CODE).read_text(encoding="utf-8")
    project.write(str(kept_digests.EQUAL_CODE), f"<<<<<<< HEAD\n{table}")
    with pytest.raises(ConfigError, match=r"equal_code\.toml cannot be read"):
        codes_of(BEHIND, skip_unreadable=True)


def test_files_that_are_declared_equal_are_seen(project: Project) -> None:
    before, old = in_a_new_process(), code.file_digest(project.root / "baselines" / "stid.py")
    project.edit("baselines/stid.py", "hidden + changed", "hidden - changed")
    edited, new = in_a_new_process(), code.file_digest(project.root / "baselines" / "stid.py")
    table = (project.root / kept_digests.EQUAL_CODE).read_text(encoding="utf-8")
    project.write(str(kept_digests.EQUAL_CODE), f'{table}\n[[equal]]\nold = "{old}"\nnew = "{new}"\nwhy = "a test"\n')

    assert edited != before
    assert in_a_new_process() == before


@pytest.mark.parametrize("python", ["3.11.0", "3.12.1"])
def test_another_version_of_python_works_them_out_again(project: Project, monkeypatch, no_work, python: str) -> None:
    del project
    in_a_new_process()
    no_work()
    monkeypatch.setattr(sys, "version", python)

    with pytest.raises(AssertionError, match="worked out"):
        in_a_new_process()


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[]", b"{}", b'{"state": 1, "digests": {}}', b"null", b'{"state": "STATE", "digests": 7}'],
)
def test_what_is_no_file_of_digests_counts_for_nothing(project: Project, content: bytes) -> None:
    first, file = in_a_new_process(), kept_file(project)
    state = json.loads(file.read_bytes())["state"]
    file.write_bytes(content.replace(b"STATE", state.encode()))

    assert in_a_new_process() == first
    assert json.loads(file.read_bytes())["state"] == state


def test_a_folder_that_cannot_be_written_to_is_no_error(project: Project) -> None:
    first, folder = worked_out(project), kept_file(project).parent
    kept_file(project).unlink()
    folder.rmdir()
    folder.write_bytes(b"")  # where the folder would be
    try:
        assert in_a_new_process() == first
    finally:
        folder.unlink()


def test_nothing_is_written_where_python_writes_no_caches(project: Project, monkeypatch) -> None:
    kept_file(project).unlink(missing_ok=True)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    in_a_new_process()

    assert not kept_file(project).exists()


def test_they_lie_where_python_keeps_its_own_caches(project: Project, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    kept_file(project).unlink(missing_ok=True)
    in_a_new_process()

    assert not kept_file(project).exists()
    assert [*tmp_path.rglob("*.digests")]


def test_those_of_files_of_ones_own_are_worked_out_each_time(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(OWN_MODEL, encoding="utf-8")
    with listed([names_the_file(str(file))]):
        before = in_a_new_process([("bikedc", "mine"), ("bikedc", "stid")])
        file.write_text(OWN_MODEL.replace("VALUE = 1", "VALUE = 2"), encoding="utf-8")
        after = in_a_new_process([("bikedc", "mine"), ("bikedc", "stid")])
    assert [pair for pair in before if before[pair] != after[pair]] == [("bikedc", "mine")]
    assert "mine" not in kept_file(project).read_text(encoding="utf-8")


def test_a_link_to_nowhere_beside_the_files_is_no_error(project: Project, no_work) -> None:
    in_a_new_process()
    link = project.root / "baselines" / ".#stid.py"
    link.symlink_to("somebody@somewhere")  # as editors leave them
    no_work()
    try:
        in_a_new_process()
    finally:
        link.unlink()
