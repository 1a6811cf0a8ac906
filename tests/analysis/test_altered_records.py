"""Records that were edited are named: by the digests noted beside them, and by what they say of themselves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from msgspec import structs
from records import record, results_of
from typer.testing import CliRunner

import bench
from bench.analysis.contradictions import contradiction, contradictions
from bench.analysis.formats.files import table_files, write_files
from bench.analysis.sums import SUMS, alterations, altered_files, sha256, sums_text
from bench.cli.app import app
from bench.metrics import Score
from bench.records.record import dump
from bench.records.store import ResultStore


@pytest.fixture(autouse=True)
def todays(monkeypatch):
    """No code is known here, so that no record is of earlier code; and no figure is drawn, which takes seconds."""
    monkeypatch.setattr("bench.analysis.known_code.known_codes", lambda _: {})
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])


@pytest.fixture(params=["in the folder", "beside it, as in a supplement"])
def results(tmp_path, request):
    """A results folder with the digests of its records."""
    folder = tmp_path / "results"
    made = [record(seed=seed) for seed in range(3)]
    for run in made:
        ResultStore(folder).write(run)
    write_files(folder / "tables", table_files(results_of(made), ["short_term"]))
    home = folder if request.param == "in the folder" else tmp_path
    files = [path for path in folder.rglob("*") if path.is_file()]
    (home / SUMS).write_bytes(sums_text({path.relative_to(home).as_posix(): sha256(path) for path in files}))
    return folder


def edited(folder, factor=0.5):
    """One of its records, whose MAE someone has changed."""
    path = sorted((folder / "runs").rglob("*.json"))[0]
    values = json.loads(path.read_text(encoding="utf-8"))
    values["scores"]["test"]["mae"]["overall"] *= factor
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def said(*words):
    done = CliRunner().invoke(app, [*map(str, words)], env={"COLUMNS": "200"})
    return done.exit_code, " ".join(done.stderr.split()), " ".join(done.stdout.split())


def test_whatever_reads_a_folder_whose_digests_are_noted_names_what_is_not_as_noted(results, tmp_path):
    assert alterations(results) == []
    changed = edited(results)
    gone = next(path for path in (results / "runs").rglob("*.json") if path != changed)
    gone.unlink()
    told = [f"{changed} was changed, as {SUMS} says", f"{gone} is gone, as {SUMS} says"]
    assert sorted(alterations(results)) == sorted(told)
    with pytest.warns(UserWarning, match="as SHA256SUMS says") as warned:
        bench.load_results(results)
    assert sorted(str(each.message) for each in warned) == sorted(told)
    code, warnings, _ = said("tables", "short_term", "--results", results, "--out", tmp_path / "out")
    assert code == 0
    assert all(line in warnings for line in told)
    for words in (("status", "--suite", "short_term", "--dataset", "bikenyc"), ("export", "--out", tmp_path / "s.zip")):
        _, warnings, _ = said(*words, "--results", results)
        assert all(line in warnings for line in told), words


def test_the_first_few_altered_records_are_named_and_the_others_counted(results):
    for number in range(7):
        (results / "runs" / "bikenyc" / "stid" / f"{number}.json").write_text("{}", encoding="utf-8")
    _, warnings, _ = said("tables", "short_term", "--results", results, "--out", results / "out")
    assert warnings.count(f"was added, as {SUMS} says") == 5
    assert f"2 more are not as {SUMS} says" in warnings


def test_a_check_of_tables_does_not_advise_to_make_them_of_altered_records(results):
    assert said("tables", "short_term", "--check", "--results", results)[0] == 0
    changed = edited(results)
    code, _, told = said("tables", "short_term", "--check", "--results", results)
    assert code == 1
    assert f"{changed} was changed" in told
    assert "short_term.csv differs from the records" in told
    assert "restore these records first" in told
    assert "'stbench tables' makes it" not in told


def test_a_check_of_tables_names_records_that_contradict_themselves_where_no_digest_is_noted(results):
    for place in (results, results.parent):
        (place / SUMS).unlink(missing_ok=True)
    changed = edited(results)
    write_files(results / "tables", table_files(bench.load_results(results), ["short_term"]))
    code, warnings, told = said("tables", "short_term", "--check", "--results", results)
    assert (code, warnings) == (1, "")
    assert f"bikenyc/stid/{changed.name} contradicts itself: its MAE on test is 0.625, by the errors of its" in told
    assert "all are as they say, but records were altered" in told


def test_a_check_of_tables_names_each_other_file_of_a_supplement_that_is_not_as_noted(tmp_path):
    results, names = tmp_path / "results", ["README.txt", "plugins/mine/mine.py", "results/plugins/a/mine/mine.py"]
    ResultStore(results).write(record())
    write_files(results / "tables", table_files(results_of([record()]), ["short_term"]))
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / SUMS).write_bytes(sums_text({name: sha256(path) for name, path in files.items()}))
    (results / "plugins" / "a" / "mine.1.asked").touch()  # as runs leave it
    check = ("tables", "short_term", "--check", "--results", results)
    assert said(*check)[0] == 0
    edited(results, factor=1)  # is named with the records, and not again
    (tmp_path / names[0]).unlink()
    for name in names[1:]:
        (tmp_path / name).write_text("edited", encoding="utf-8")
    assert altered_files(results) == names
    code, _, told = said(*check)
    assert code == 1
    assert f"not as {SUMS} says: {', '.join(names)}; unpack the supplement again" in told
    for path in (results / "runs").rglob("*.json"):
        path.write_bytes(dump(record()))
    code, _, told = said(*check)
    assert (code, "all are as they say, but files were altered" in told) == (1, True)


def test_no_name_in_a_supplement_leads_out_of_it_and_what_is_no_plain_file_is_not_opened(tmp_path, monkeypatch):
    home, opened, usual = tmp_path / "supplement", [], os.open
    ResultStore(home / "results").write(record())
    files = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    (home / "kept.txt").write_text("kept", encoding="utf-8")
    (tmp_path / "outside.txt").write_text("kept", encoding="utf-8")
    (home / "linked.txt").symlink_to(home / "kept.txt")
    (home / "led_out.txt").symlink_to(tmp_path / "outside.txt")
    (home / "folder").symlink_to(tmp_path)
    (home / "circle").symlink_to(home / "circle")
    (home / "device").symlink_to("/dev/zero")
    os.mkfifo(home / "pipe")
    names = [str(tmp_path / "outside.txt"), str(home / "kept.txt"), "../outside.txt", "results/../kept.txt"]
    names += ["led_out.txt", "folder/outside.txt", "circle", "device", "results", "gone.txt", "a" * 5000, "zero\0byte"]
    digests = dict.fromkeys(["kept.txt", "linked.txt", "pipe", *names], sha256(b"kept"))
    (home / SUMS).write_bytes(sums_text({**digests, **{name: sha256(path) for name, path in files.items()}}))
    monkeypatch.setattr("os.open", lambda path, *rest: opened.append(path) or usual(path, *rest))
    assert altered_files(home / "results") == sorted([*names, "pipe"])
    assert {*opened} == {home / SUMS, home / "kept.txt"}


def test_a_file_of_a_supplement_that_cannot_be_read_is_not_as_noted(tmp_path, monkeypatch):
    ResultStore(tmp_path / "results").write(record())
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    (tmp_path / "closed.txt").write_text("closed", encoding="utf-8")
    files["closed.txt"] = tmp_path / "closed.txt"
    (tmp_path / SUMS).write_bytes(sums_text({name: sha256(path) for name, path in files.items()}))
    assert altered_files(tmp_path / "results") == []

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("bench.catalog.raw_files.open_plain", refuse)
    assert altered_files(tmp_path / "results") == ["closed.txt"]


def test_an_ordinary_folder_and_digests_of_other_files_beside_it_say_nothing(tmp_path):
    ResultStore(tmp_path / "results").write(record())
    assert alterations(tmp_path / "results") == []
    (tmp_path / SUMS).write_text("no line of sha256sum\n", encoding="utf-8")
    assert alterations(tmp_path / "results") == []
    (tmp_path / SUMS).write_text(f"{'0' * 64}  other/runs/a.json\n", encoding="utf-8")
    assert alterations(tmp_path / "results") == altered_files(tmp_path / "results") == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mae": 1.25 * 1.0000032}, "its MAE on test is 1.250004, by the errors of its windows 1.25"),
        ({"rmse": 2.0}, "its RMSE on test is 2, by the errors of its windows 3.75"),
        ({"mae": 1.0, "rmse": 2.0}, "its MAE on test is 1, by the errors of its windows 1.25; its RMSE"),
    ],
)
def test_a_score_that_is_not_of_the_windows_is_a_contradiction(change, told):
    run = record()
    assert contradiction(run) == ""
    scores = {name: Score(overall=value, per_step=[], per_channel=[]) for name, value in change.items()}
    forged = structs.replace(run, scores={**run.scores, "test": {**run.scores["test"], **scores}})
    assert contradiction(forged).startswith(told)
    assert contradictions([run, forged, record(failed=True)]) == [
        f"bikenyc/stid/{run.run_id}.json contradicts itself: {contradiction(forged)}"
    ]


def test_a_number_of_values_that_is_not_of_the_windows_is_a_contradiction():
    run = record()
    forged = structs.replace(run, counts=structs.replace(run.counts, test_values=7))
    assert contradiction(forged) == "its number of values on test is 7, by the errors of its windows 576000"


@pytest.mark.parametrize(("part", "named"), [("per_step", "steps"), ("per_channel", "channels")])
@pytest.mark.parametrize("split", ["test", "val"])
def test_an_error_that_does_not_lie_between_those_of_its_parts_is_a_contradiction(split, part, named):
    run = record(mae=1.25)
    score = run.scores[split]["mae"]
    halved = structs.replace(score, **{part: [None if value is None else value / 2 for value in getattr(score, part)]})
    forged = structs.replace(run, scores={**run.scores, split: {**run.scores[split], "mae": halved}})
    assert contradiction(run) == ""
    assert contradiction(forged) == f"its MAE on {split} is {score.overall:.8g}, which its {named} do not make"


def test_scores_of_channels_whose_units_differ_contradict_nothing():
    run = record()
    scores = {name: structs.replace(score, overall=None) for name, score in run.scores["test"].items()}
    assert contradiction(structs.replace(run, scores={**run.scores, "test": scores})) == ""


def test_the_names_of_altered_records_begin_with_the_folder_as_it_was_given(results, monkeypatch):
    monkeypatch.chdir(results)
    changed = edited(Path())
    assert alterations(Path()) == [f"{changed} was changed, as {SUMS} says"]
