"""The commit in a record: that of the project's own checkout, or none."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from records import record

from bench.catalog import registry
from bench.catalog.own_files import VARIABLE
from bench.catalog.plugins import Group, Plugin
from bench.records.planned import PlannedRun
from bench.runs import execution

RUN = PlannedRun(spec=record().spec, code=record().code, method="stid", label=record().label)


def commit(folder: Path) -> None:
    for words in (["add", "."], ["commit", "-qm", "more"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", str(folder), *who, *words], check=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, whose root counts as the project's."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").write_text("a")
    made: list[tuple[Group, str, str, Path]] = []
    pairs: list[tuple[Group, str, str]] = [("model", "baselines", RUN.model), ("dataset", "datasets", RUN.dataset)]
    for group, package, name in pairs:
        (tmp_path / package).mkdir()
        (tmp_path / package / f"{name}.py").write_text("class Config: ...\nclass Model: ...\n")
        made.append((group, name, f"{package}.{name}", tmp_path / package / f"{name}.py"))
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    commit(tmp_path)
    monkeypatch.setattr(registry, "ROOT", tmp_path)
    plugins = {group: Plugin(group=group, name=name, module=module, source=file) for group, name, module, file in made}
    monkeypatch.setattr(registry, "_plugins", lambda group: {plugins[group].name: plugins[group]})
    return tmp_path


def test_the_commit_has_a_plus_where_files_differ(checkout: Path) -> None:
    clean = execution._commit(RUN)
    assert clean is not None
    assert len(clean) == 12
    (checkout / "inside" / "file").write_text("b")
    assert execution._commit(RUN) == f"{clean}+"


def test_a_plug_in_that_git_does_not_know_takes_the_tree_for_clean_from_all_runs(checkout: Path) -> None:
    clean = execution._commit(RUN)
    (checkout / "baselines" / "mine.pyc").write_text("")
    assert execution._commit(RUN) == clean
    (checkout / "baselines" / "mine.py").write_text("Model = 1")
    assert execution._commit(RUN) == f"{clean}+"
    (checkout / ".gitignore").write_text("mine.py")
    assert execution._commit(RUN) == f"{clean}+"


@pytest.mark.parametrize("folder", ["checkout", "elsewhere"])
def test_a_model_in_a_file_that_git_does_not_know_is_not_in_the_commit(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    clean = execution._commit(RUN)
    home = checkout if folder == "checkout" else tmp_path_factory.mktemp("home")
    (home / "mine.py").write_text("class Config: ...\nclass Model: ...\n")
    monkeypatch.setenv(VARIABLE, str(home / "mine.py"))
    assert execution._commit(replace(RUN, spec=structs.replace(RUN.spec, model="mine"))) == f"{clean}+"
    assert execution._commit(RUN) == clean
    if folder == "checkout":
        commit(checkout)
        assert "+" not in (execution._commit(replace(RUN, spec=structs.replace(RUN.spec, model="mine"))) or "+")


def test_a_project_that_lies_in_another_checkout_has_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ROOT", checkout / "inside")
    assert execution._commit(RUN) is None
