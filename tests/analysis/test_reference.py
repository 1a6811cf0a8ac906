"""Reference results: which runs are taken, and that all files are those of the records."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from records import record, results_of, trained_on
from reference_runs import reference_runs
from typer.testing import CliRunner

import bench
from bench.analysis.figures._files import Look, pictures
from bench.analysis.formats.files import differences, table_files, write_files
from bench.analysis.reference import (
    FIRST,
    LAST,
    README,
    reference_files,
    stale,
    takable,
    take,
)
from bench.analysis.report.page import shown
from bench.analysis.sums import SUMS, alterations, altered_records, read_sums
from bench.cli.app import app
from bench.cli.reference import REMEDIES
from bench.errors import ConfigError
from bench.records.store import ResultStore

PLACE = f"# Title\n\n{FIRST}\n{LAST}\n\nThe rest.\n"


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take seconds, and most tests are not about them."""
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])


@pytest.fixture
def todays(monkeypatch):
    """No code is known here, so that no record is of earlier code."""
    monkeypatch.setattr("bench.analysis.known_code.known_codes", lambda _: {})


def few():
    """The runs of one task on one data set alone: every file is made of them sooner."""
    return [run for run in reference_runs() if (run.dataset, run.spec.task.name) == ("bikenyc", "short")]


def files(records, folder, **options):
    return reference_files(results_of(records), folder, **options)


def stbench(*words):
    return CliRunner().invoke(app, ["reference", *map(str, words)], env={"COLUMNS": "200"})


def test_runs_of_which_nothing_may_be_claimed_are_not_taken():
    good = record(profile="reference")
    others = [
        record(profile="quick"),
        record(synthetic=True),
        record(external=True, model="elsewhere"),
        record(failed=True, seed=5),
        record(model="mine"),
        record("city1"),
        trained_on(good, "city1"),
    ]
    noise = record("control_noise", synthetic=True, profile="reference")
    planted = msgspec.structs.replace(noise, label=msgspec.structs.replace(noise.label, suite="planted"))
    others.append(msgspec.structs.replace(noise, label=msgspec.structs.replace(noise.label, suite="short_term")))
    assert takable(results_of([good, *others])) == [good]
    assert takable(results_of([good, *others, planted])) == [good, planted]
    assert takable(results_of([good], {("bikenyc", "stid"): "f" * 12})) == []


def test_a_taken_record_is_the_record_itself_and_replaces_that_of_other_code(tmp_path):
    first, other = record(profile="reference"), record(profile="reference", seed=1)
    assert take([first, other], tmp_path) == 2
    assert take([first, other], tmp_path) == 0
    assert list(ResultStore(tmp_path).records()) == sorted([first, other], key=lambda run: run.run_id)
    newer = record(profile="reference", code="a" * 12)
    assert take([newer], tmp_path) == 1
    assert {run.run_id for run in ResultStore(tmp_path).records()} == {newer.run_id, other.run_id}
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "SHA256SUMS"}
    assert alterations(tmp_path) == []


def test_the_folder_is_read_as_any_results_folder(tmp_path, todays):
    made = few()
    take(made, tmp_path)
    results = bench.load_results(tmp_path)
    assert len(results.records) == len(made)
    assert results.table("controls").tables == results_of(made).table("controls").tables
    answer = CliRunner().invoke(app, ["tables", "controls", "--results", str(tmp_path), "--out", str(tmp_path / "t")])
    assert (tmp_path / "t" / "controls.md").is_file(), answer.output


def test_tables_are_those_of_the_records_to_the_last_byte(tmp_path):
    made = files(few(), tmp_path, figures=False)
    results = results_of(few())
    wanted = {
        f"tables/{name}": text
        for name, text in table_files(results, shown(results, "tables")).items()
        if text is not None and not name.endswith(".tex")
    }
    assert {name: text for name, text in made.items() if name.startswith("tables/")} == wanted
    assert "tables/controls_differences.csv" in wanted
    assert made == files(few()[::-1], tmp_path, figures=False)


def test_what_is_no_longer_made_is_removed_and_nothing_else(tmp_path, no_figures):
    for name in ("tables/gone.md", "figures/gone-1.png", "suites/gone.toml", "runs/kept.json", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old", encoding="utf-8")
    without = files(few(), tmp_path, figures=False)
    assert [name for name, text in without.items() if text is None] == ["tables/gone.md", "suites/gone.toml"]
    whole = files(few(), tmp_path)
    assert whole["figures/gone-1.png"] is None
    write_files(tmp_path, whole)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"runs/kept.json", "notes.txt", "report.html", README} < left
    assert not any("gone" in name for name in left)


def test_the_readme_says_on_what_they_were_made_what_may_be_claimed_and_how_to_make_them_again(tmp_path):
    made = [msgspec.structs.replace(run, ended=1.7e9 + 1e5 * number) for number, run in enumerate(reference_runs())]
    text = files(made, tmp_path, figures=False)[README].decode()
    words = " ".join(text.split())
    assert f"Runs ended between 2023-11-14 and {datetime.fromtimestamp(made[-1].ended, UTC).date()}." in words
    assert f"st-vfm-bench {bench.__version__}" in words
    assert "What else they did meanwhile is not known" in words
    assert "d" * 64 in text  # of the data
    assert "“pre-trained, frozen” is better in" in words
    assert re.search(r"what is claimed holds of small models trained for \d+ epochs?", words)
    absent = words.partition("Nothing here is of the suites ")[2].partition(".")[0].split(", ")
    assert {"long_term", "transfer"} < set(absent)
    assert not {"short_term", "controls"} & set(absent)
    assert "stbench run --suite suites/reproduce_1.toml --profile reference" in words


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((1.7e9, 1.7e9 + 60), "on 2023-11-14."),
        ((1.7e9, 1.7e9 + 1e5), "between 2023-11-14 and 2023-11-16."),
        ((None, None), "on a day that is not known."),
    ],
)
def test_the_readme_says_when_the_runs_ended(ends, said, tmp_path):
    made = [msgspec.structs.replace(record(seed=seed), ended=ended) for seed, ended in enumerate(ends)]
    assert f"Runs ended {said}" in files(made, tmp_path, figures=False)[README].decode()


def test_the_suites_of_the_readme_are_those_that_it_names(tmp_path):
    made = files(reference_runs(), tmp_path, figures=False)
    assert set(re.findall(r"suites/\w+\.toml", made[README].decode())) == {name for name in made if "suites/" in name}


def test_figures_are_the_same_bytes_for_the_same_records(tmp_path):
    results = results_of(reference_runs())
    once, again = (list(pictures(results, ["answer"], Look(formats=(".png",)))) for _ in range(2))
    assert [each.name for each in once] == ["answer-1"]
    assert once[0].files == again[0].files


def test_the_command_takes_writes_and_checks(tmp_path, no_figures, todays):
    source, folder, document = tmp_path / "results", tmp_path / "reference", tmp_path / "README.md"
    for run in [*few(), record(profile="quick", seed=9)]:
        ResultStore(source).write(run)
    document.write_text(PLACE, encoding="utf-8")
    given = ("--results", folder, "--document", document)
    written = stbench(*given, "--take", source)
    assert f"{len(few())} runs taken, 0 already there, 1 left out" in written.output, written.output
    assert "(equivalent) on bikenyc" in " ".join(document.read_text(encoding="utf-8").split())
    assert "](reference/README.md)" in document.read_text(encoding="utf-8")
    assert stbench(*given, "--check").exit_code == 0
    for path in (changed := (folder / "tables" / "controls.csv", folder / README, document)):
        path.write_text(path.read_text(encoding="utf-8").replace("1.0", "1.1"), encoding="utf-8")
    wrong = stbench(*given, "--check")
    assert wrong.exit_code == 1
    for path in changed:
        assert f"{path} differs from the records" in " ".join(wrong.output.split())


def test_a_changed_record_and_one_that_is_missing_are_seen(tmp_path, todays):
    def differing(told=""):
        with pytest.warns(UserWarning, match=told) if told else nullcontext():
            loaded = bench.load_results(tmp_path)
        return bool(differences(tmp_path, reference_files(loaded, tmp_path, figures=False)))

    take(few(), tmp_path)
    write_files(tmp_path, reference_files(bench.load_results(tmp_path), tmp_path, figures=False))
    assert not differing()
    path = next(path for path in (tmp_path / "runs" / "bikenyc" / "stid").glob("*.json"))
    values = json.loads(path.read_text(encoding="utf-8"))
    values["scores"]["test"]["mae"]["overall"] *= 1.01
    path.write_text(json.dumps(values), encoding="utf-8")
    assert differing(f"{path.name} was changed, as SHA256SUMS says")
    path.unlink()
    assert differing(f"{path.name} is gone, as SHA256SUMS says")


def test_records_changed_added_or_removed_by_hand_are_named_and_no_table_is_made_of_them(tmp_path, no_figures, todays):
    source, folder = tmp_path / "results", tmp_path / "reference"
    for run in few():
        ResultStore(source).write(run)
    stbench("--results", folder, "--take", source)
    first, second, third = sorted((folder / "runs" / "bikenyc" / "stid").glob("*.json"))
    taken = {path: path.read_bytes() for path in (first, second, third)}
    first.write_bytes(taken[first].replace(b"0", b"1", 1))
    second.unlink()
    (third.parent / "own.json").write_bytes(taken[second])
    names = [path.relative_to(folder).as_posix() for path in (first, third.parent / "own.json", second)]
    wanted = dict(zip(names, ("was changed", "was added", "is gone"), strict=True))
    found = altered_records(folder, read_sums(folder / SUMS))
    assert found == wanted
    assert list(found) == sorted(names)
    tables = (folder / "tables" / "short_term.csv").read_bytes()
    for words in ((), ("--take", source)):
        refused = stbench("--results", folder, *words)
        assert isinstance(refused.exception, ConfigError)
        assert "own.json was added" in str(refused.exception)
        assert (folder / "tables" / "short_term.csv").read_bytes() == tables
    assert {path: path.read_bytes() for path in taken} == taken
    (third.parent / "own.json").write_text("{}", encoding="utf-8")
    first.write_bytes(taken[first] + b" ")
    checked = stbench("--results", folder, "--check")
    assert checked.exit_code == 1
    assert f"{names[0]} was changed; restore what was changed" in " ".join(checked.output.split())


@pytest.mark.parametrize(
    ("what", "remedy"),
    [
        ("was changed", "restore what was changed from version control, or --take the results folder"),
        ("was added", "delete what was added"),
        ("is gone", "that it comes from, or delete its line in SHA256SUMS"),
    ],
)
def test_each_kind_of_altered_record_has_a_remedy_that_mends_it(tmp_path, no_figures, todays, what, remedy):
    source, folder = tmp_path / "results", tmp_path / "reference"
    for run in few():
        ResultStore(source).write(run)
    stbench("--results", folder, "--take", source)
    path = next((folder / "runs" / "bikenyc" / "stid").glob("*.json"))
    added, sums = path.with_name("own.json"), folder / "SHA256SUMS"
    content = path.read_bytes()
    if what == "is gone":
        path.unlink()
    else:
        (added if what == "was added" else path).write_bytes(content + b" ")
    told = str(stbench("--results", folder).exception)
    assert remedy in told
    assert [kind for kind, words in REMEDIES.items() if words in told] == [what]
    again = stbench("--results", folder, "--take", source)
    assert ("was added" in str(again.exception)) == (what == "was added")
    assert (again.exit_code == 0) == (what != "was added")
    path.unlink()
    added.unlink(missing_ok=True)
    assert list(altered_records(folder, read_sums(sums)).values()) == ["is gone"]
    lines = sums.read_text(encoding="utf-8").splitlines(keepends=True)
    sums.write_text("".join(line for line in lines if path.name not in line), encoding="utf-8")
    assert stbench("--results", folder).exit_code == 0


def test_a_stale_record_fails_the_check_and_is_kept(tmp_path, no_figures, monkeypatch):
    take([record(profile="reference"), record(profile="reference", model="dlinear")], tmp_path)
    monkeypatch.setattr("bench.analysis.known_code.known_codes", lambda _: {("bikenyc", "stid"): "f" * 12})
    stbench("--results", tmp_path)
    checked = stbench("--results", tmp_path, "--check")
    assert checked.exit_code == 1
    assert "stale: stid on bikenyc; run it again, or declare the code equal" in " ".join(checked.output.split())
    assert "dlinear" not in checked.output
    assert len(list((tmp_path / "runs").rglob("*.json"))) == 2
    assert stale(bench.load_results(tmp_path)) == ["stid on bikenyc"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--results", "nowhere"), "there is no folder nowhere; --take RESULTS makes it"),
        (("--take", "nowhere"), "there is no folder nowhere; --take wants a results folder"),
        (("--check", "--take", "."), "--check writes nothing; leave --take out"),
    ],
)
def test_a_wrong_use_is_told_in_a_sentence(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = stbench(*words)
    assert isinstance(answer.exception, ConfigError)
    assert said in str(answer.exception)
    assert list(Path().iterdir()) == []
