"""Which code of a file of one's own is today's, where its file is not known any more: that which was asked for last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hostile import model_text
from records import record
from torch import nn
from typer.testing import CliRunner

import bench
from bench.analysis.own_parts import own_parts
from bench.analysis.results import Results
from bench.catalog import own_files
from bench.cli.app import app
from bench.runs.own_code import asked_at, copies, kept_code, note_asked, outdated
from bench.runs.plan import NO_CODE
from bench.types import Window

SMALL = {"train.epochs": 1, "train.steps_per_epoch": 2, "train.batch_size": 8}


@pytest.fixture
def edited(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes a model's file with another level, and runs it on data sets; afterwards nobody knows the file."""
    file, results = tmp_path / "mine.py", tmp_path / "results"

    def run(level: float, *datasets: str, seeds: tuple[int, ...] = (0,)) -> Path:
        file.write_text(model_text(f"return repeated(window.history[:, -1:], window) + {level} + self.level"), "utf-8")
        with monkeypatch.context() as context:
            context.setenv(own_files.VARIABLE, "")
            bench.run(
                models=[file],
                datasets=list(datasets) or ["tiny"],
                seeds=list(seeds),
                settings=SMALL,
                data_dir=tiny,
                results=results,
                profile="quick",
                on_line=None,
            )
        return results

    return run


def shown(results: Path) -> set[tuple[str, float]]:
    """What the table holds: data set and MAE of each seed of runs that are not stale."""
    loaded = bench.load_results(results)
    return {(run.record.dataset, round(run.record.score("mae"), 9)) for run in loaded.runs if not run.stale}


def test_after_an_edit_the_new_runs_are_today_s_and_after_it_is_undone_the_old_ones(edited) -> None:
    first = shown(edited(0.0))
    second = shown(edited(5.0))
    assert first.isdisjoint(second)
    assert shown(edited(0.0)) == first  # nothing is made, the runs are there


def test_a_file_and_a_copy_of_it_as_it_was_are_two_models(tiny: Path, tmp_path: Path, monkeypatch) -> None:
    """A model's file is copied, to keep it, and edited: both are run, and the copy has the code of the earlier runs."""
    mine, old, results = tmp_path / "mine.py", tmp_path / "old.py", tmp_path / "results"

    def run(*files: Path) -> dict[str, float]:
        with monkeypatch.context() as context:
            context.setenv(own_files.VARIABLE, "")
            facts = {"datasets": ["tiny"], "settings": SMALL, "data_dir": tiny, "results": results, "profile": "quick"}
            made = bench.run(models=list(files), on_line=None, **facts)
        return {one.record.model: one.record.score("mae") for one in made.runs if not one.stale}

    def text(level: float) -> str:
        return model_text(f"return repeated(window.history[:, -1:], window) + {level} + self.level")

    def known() -> dict[str, float]:
        runs = [run.record for run in bench.load_results(results).runs if not run.stale]
        return {record.model: record.score("mae") for record in runs}

    mine.write_text(text(0.0), encoding="utf-8")
    first = run(mine)
    old.write_text(text(0.0), encoding="utf-8")
    mine.write_text(text(5.0), encoding="utf-8")
    both = run(mine, old)
    assert both["old"] == first["mine"] != both["mine"]
    assert known() == both
    run(old)
    assert known() == both
    parts = own_parts(results, bench.load_results(results).records)
    assert (parts.files["plugins/mine/mine.py"], parts.files["plugins/old/old.py"]) == (
        text(5.0).encode(),
        text(0.0).encode(),
    )
    assert parts.missing == []


def test_of_codes_that_are_not_today_s_the_one_that_was_asked_for_last_is_shown(edited, tmp_path: Path) -> None:
    """Whatever their digests are: of six in a row, the last before today's is on other data."""
    levels = [1.0, 2.0, 3.0, 4.0, 5.0]
    for level in levels:
        results = edited(level)
    last = max(bench.load_results(results).runs, key=lambda run: run.asked)
    edited(6.0, "tiny2")
    (group,) = bench.load_results(results).plain_groups().values()
    (cell,) = (cell for (data, _), cell in group.cells.items() if data.dataset == "tiny")
    assert cell.flags == ("stale",)
    assert cell.runs == (last.record,)


def test_a_folder_of_records_alone_says_that_it_is_not_known_which_code_is_today_s(edited, tmp_path: Path) -> None:
    edited(0.0)
    assert bench.load_results(edited(5.0)).undecided == []
    shutil.rmtree(tmp_path / "results" / "plugins")
    (sentence,) = bench.load_results(tmp_path / "results").undecided
    assert sentence.startswith("the runs of 'mine' are by 2 versions of its code, and nothing says which is today's; ")
    answer = CliRunner().invoke(app, ["tables", "--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")])
    assert sentence in " ".join(answer.stderr.split())


def test_an_edit_makes_runs_on_other_data_stale_too(edited) -> None:
    both = shown(edited(0.0, "tiny", "tiny2"))
    assert {dataset for dataset, _ in both} == {"tiny", "tiny2"}
    assert {dataset for dataset, _ in shown(edited(5.0, "tiny"))} == {"tiny"}


def test_other_code_of_the_project_makes_runs_stale_though_the_file_is_the_same(tmp_path: Path) -> None:
    old, new = ((("bikenyc", "mine"), code * 12) for code in "ab")
    for at, (_, code) in enumerate((old, new)):
        copy = tmp_path / "plugins" / code
        (copy / "mine").mkdir(parents=True)
        (copy / "mine" / "mine.py").write_text("the same", encoding="utf-8")
        (copy / "mine.source").write_text("mine.py", encoding="utf-8")
        (copy / f"mine.{1 + at}.asked").touch()
    assert outdated(tmp_path, [old, new]) == {old}


def test_where_nothing_was_noted_nothing_is_outdated_and_a_broken_note_is_none(tmp_path: Path) -> None:
    pairs = [(("bikenyc", "mine"), "a" * 12), (("bikenyc", "mine"), "b" * 12)]
    assert outdated(tmp_path, pairs) == set()
    (tmp_path / "plugins" / ("a" * 12)).mkdir(parents=True)
    for broken in ("mine.asked", "mine.soon.asked", "mine.1.5.asked.txt", f"mine.{'9' * 100}.asked", "mine.٣.asked"):
        (tmp_path / "plugins" / ("a" * 12) / broken).touch()
        assert outdated(tmp_path, pairs) == set()
    assert asked_at(tmp_path) == {}


def test_folders_that_are_copied_into_each_other_lose_no_note_and_no_copy(tmp_path: Path) -> None:
    code, ours, theirs = "a" * 12, tmp_path / "ours", tmp_path / "theirs"
    own_copy(ours, code, "x = 1", 30)
    own_copy(theirs, code, "x = 1", 10)
    folder = theirs / "plugins" / code
    (folder / "mine").rename(folder / "old")
    (folder / "mine.source").rename(folder / "old.source")
    (folder / "old.20.asked").touch()
    shutil.copytree(theirs / "plugins", ours / "plugins", dirs_exist_ok=True)
    assert asked_at(ours) == {("mine", code): 30, ("old", code): 20}
    assert set(kept_code(ours, code)) == {"mine", "old"}
    assert {name.split("/")[2] for name in copies(ours, code, {"old"})} == {"old", "old.source"}


def test_a_note_replaces_those_of_the_same_model_alone(tmp_path: Path, monkeypatch) -> None:
    run = SimpleNamespace(model="mine", code="a" * 12)
    monkeypatch.setattr("bench.catalog.registry.needs_own_file", lambda _: True)
    folder = tmp_path / "plugins" / run.code
    folder.mkdir(parents=True)
    (folder / "mine.2.5.asked").touch()  # of a model called mine.2
    note_asked([run], tmp_path)
    note_asked([run], tmp_path)
    assert asked_at(tmp_path).keys() == {("mine", run.code), ("mine.2", run.code)}
    assert len(list(folder.glob("*.asked"))) == 2


def test_what_is_noted_is_of_the_user_s_own_alone(tmp_path: Path, catalog) -> None:
    from clusters import small_plan

    note_asked(small_plan(catalog, "stid", datasets=("tiny",)), tmp_path)
    assert not (tmp_path / "plugins").exists()


def test_a_run_whose_file_is_known_is_held_against_it_alone() -> None:
    made = record(model="stid", code="a" * 12)
    outdated_too = {(made.spec.behind, made.code)}
    (run,) = Results([made], code={made.spec.behind: made.code}, outdated=outdated_too).runs
    assert not run.stale
    (run,) = Results([made], code={}, outdated=outdated_too).runs
    assert run.stale


def own_copy(folder: Path, code: str, text: str, asked: int, source: bytes = b"mine.py") -> Path:
    """A copy of own code and when it was asked for, as a run leaves them."""
    copy = folder / "plugins" / code
    (copy / "mine").mkdir(parents=True)
    (copy / "mine" / "mine.py").write_text(text, encoding="utf-8")
    (copy / "mine.source").write_bytes(source)
    (copy / f"mine.{asked}.asked").touch()
    return copy


def test_a_comment_that_was_edited_makes_nothing_stale(tmp_path: Path) -> None:
    first, second = (("bikenyc", "mine"), "a" * 12), (("taxibj", "mine"), "b" * 12)
    own_copy(tmp_path, "a" * 12, 'def f():\n    """Old."""\n    return 1  # so\n', 1)
    own_copy(tmp_path, "b" * 12, "def f():\n    return 1\n", 2)
    assert outdated(tmp_path, [first, second]) == set()
    (tmp_path / "plugins" / ("b" * 12) / "mine" / "mine.py").write_text("def f():\n    return 2\n", encoding="utf-8")
    assert outdated(tmp_path, [first, second]) == {first}


def test_what_could_not_be_used_outdates_nothing(tmp_path: Path) -> None:
    made, unusable = (("bikenyc", "mine"), "a" * 12), (("bikenyc", "mine"), NO_CODE)
    own_copy(tmp_path, "a" * 12, "x = 1", 1)
    own_copy(tmp_path, NO_CODE, "x = (", 2)
    assert outdated(tmp_path, [made, unusable]) == set()


@pytest.mark.parametrize("source", [b"", b"other.py", b"/etc/passwd", b"../mine/mine.py", b"\xff", b"m" * 100_000])
def test_copies_that_are_broken_or_foreign_are_none_and_stop_nothing(tmp_path: Path, source: bytes) -> None:
    own_copy(tmp_path, "a" * 12, "x = 1", 1, source)
    assert kept_code(tmp_path, "a" * 12) == {}
    assert copies(tmp_path, "a" * 12, {"mine"}) == {}
    assert outdated(tmp_path, [(("bikenyc", "mine"), "a" * 12)]) == set()


def test_no_file_out_of_the_folder_of_copies_is_read(tmp_path: Path) -> None:
    secret = own_copy(tmp_path / "secret", "a" * 12, "secret = 1", 1)
    results = tmp_path / "results"
    copy = own_copy(results, "b" * 12, "x = 1", 1)
    (copy / "mine" / "linked.py").symlink_to(secret / "mine" / "mine.py")
    (results / "plugins" / ("c" * 12)).symlink_to(secret)
    (copy / "other").symlink_to(secret / "mine")
    (copy / "other.source").write_text("mine.py", encoding="utf-8")
    (copy / "circle").symlink_to(copy / "circle")
    (copy / "circle.source").write_text("mine.py", encoding="utf-8")
    (tmp_path / "path").write_text("mine.py", encoding="utf-8")
    (copy / "third").mkdir()
    (copy / "third" / "mine.py").write_text("x = 1", encoding="utf-8")
    (copy / "third.source").symlink_to(tmp_path / "path")
    (results / "plugins" / ("d" * 12)).symlink_to(results / "plugins" / ("d" * 12))
    os.mkfifo(copy / "mine" / "pipe.py")
    for code in (f"../../secret/plugins/{'a' * 12}", str(secret), "c" * 12, "d" * 12):
        assert copies(results, code, {"mine"}) == {}
    there = copies(results, "b" * 12, {"mine", "other", "circle", "third"})
    assert sorted(there) == [f"plugins/{'b' * 12}/mine.source", f"plugins/{'b' * 12}/mine/mine.py"]


class Shifted(nn.Module):
    """The last value and a number."""

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor(float(shift)))

    def forward(self, window: Window) -> torch.Tensor:
        return window.history[:, -1:].repeat(1, 6, 1, 1, 1) + self.shift


def test_fitted_maps_of_several_seeds_stay_current(tiny: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        bench.evaluate(Shifted(seed), "tiny", seed=seed, data_dir=tiny, results=tmp_path)
    assert [run.stale for run in bench.load_results(tmp_path).runs] == [False, False]
