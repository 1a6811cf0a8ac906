"""The commit in a record: that of the project's own checkout, or none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.catalog import registry
from bench.runs import execution


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, whose root counts as the project's."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").write_text("a")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True)
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    return tmp_path


def test_the_commit_has_a_plus_where_files_differ(checkout: Path) -> None:
    clean = execution._commit()
    assert clean is not None
    assert len(clean) == 12
    (checkout / "inside" / "file").write_text("b")
    assert execution._commit() == f"{clean}+"


def test_a_project_that_lies_in_another_checkout_has_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ROOT", checkout / "inside")
    assert execution._commit() is None
