"""After runs, tables and figures are made again exactly where they would be others, or are not as they were left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from records import record, trained_on
from typer.testing import CliRunner

from bench.analysis import freshness
from bench.catalog import own_files
from bench.catalog.code import code_of
from bench.cli.app import app
from bench.cli.output import write_both
from bench.records.record import dump
from bench.records.store import ResultStore

SUITE = """
name = "mine"
title = "{title}"
tasks = ["short"]
protocol = "strict"
models = ["stid", "last_value"]
datasets = ["bikenyc"]
"""

READER = "from builders import make_card\n\nCARD = make_card(name='harbour')\nSCALE = 1.0\n\ndef read(folder): ...\n"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    store = ResultStore(tmp_path / "results")
    for seed in (0, 1):
        store.write(record(model="stid", seed=seed))
        store.write(record(model="last_value", seed=seed, mae=2.0))
    return tmp_path / "results"


def written(results: Path) -> dict[str, int]:
    """When each table and figure was written."""
    return {
        path.relative_to(results).as_posix(): path.stat().st_mtime_ns
        for folder in ("tables", "figures")
        for path in (results / folder).glob("*")
    }


def contents(results: Path) -> dict[str, bytes]:
    return {name: (results / name).read_bytes() for name in written(results)}


def made_elsewhere(results: Path) -> dict[str, bytes]:
    """The same artefacts, made of the same records in another folder."""
    other = results.with_name("other")
    shutil.copytree(results / "runs", other / "runs")
    write_both(other, [])
    return contents(other)


def test_nothing_is_written_again_where_nothing_has_changed(results: Path) -> None:
    first = write_both(results, [])
    before = written(results)
    assert before.keys() == {path.relative_to(results).as_posix() for path in first}
    assert write_both(results, []) == first
    assert written(results) == before


def another_record(results: Path) -> None:
    ResultStore(results).write(record(model="stid", seed=2, mae=9.0))


def a_record_less(results: Path) -> None:
    ResultStore(results).retire("bikenyc", "stid", record(model="stid", seed=1).run_id)


def a_record_edited_in_place(results: Path) -> None:
    """With as many letters as before, and its time of change set back."""
    (path,) = (results / "runs" / "bikenyc" / "stid").glob(f"{record(model='stid').run_id}.json")
    before, text = path.stat(), dump(record(model="stid"))
    assert path.read_bytes() == text
    path.write_bytes(text.replace(b"1.25", b"7.25"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def a_table_edited(results: Path) -> None:
    table = results / "tables" / "short_term.md"
    before = table.stat()
    table.write_bytes(table.read_bytes().replace(b"1", b"2"))
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))


def a_table_deleted(results: Path) -> None:
    (results / "tables" / "efficiency.csv").unlink()


def a_table_that_must_not_be(results: Path) -> None:
    (results / "tables" / "tuning_ledger.md").write_text("old")


def a_figure_of_before(results: Path) -> None:
    (results / "figures" / "controls-9.png").write_bytes(b"old")


@pytest.mark.parametrize(
    "change",
    [
        another_record,
        a_record_less,
        a_record_edited_in_place,
        a_table_edited,
        a_table_deleted,
        a_table_that_must_not_be,
        a_figure_of_before,
    ],
)
def test_whatever_changed_the_artefacts_are_those_of_the_records(
    results: Path, change: Callable[[Path], object]
) -> None:
    write_both(results, [])
    before = contents(results)
    change(results)
    write_both(results, [])
    assert contents(results) == made_elsewhere(results)
    of_records = change.__name__.startswith(("another_record", "a_record"))
    assert (contents(results) != before) == of_records


def test_other_code_libraries_tuned_settings_or_suites_make_them_again(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = tmp_path / "mine.toml"
    suite.write_text(SUITE.format(title="One"))
    (code := tmp_path / "code").mkdir()
    (code / "table.py").write_text("a = 1")
    monkeypatch.setattr(freshness, "OURS", (str(code),))
    digests = [freshness.made_of(results, [str(suite)])]

    def differs() -> None:
        digests.append(freshness.made_of(results, [str(suite)]))
        assert digests[-1] == freshness.made_of(results, [str(suite)])
        assert len(set(digests)) == len(digests)

    suite.write_text(SUITE.format(title="Two"))
    differs()
    (code / "table.py").write_text("a = 2")
    differs()
    (results / "tuned" / "bikenyc").mkdir(parents=True)
    (results / "tuned" / "bikenyc" / "stid.toml").write_text("")
    differs()
    monkeypatch.setattr(freshness, "_version", lambda library: "another" if library == "matplotlib" else "one")
    differs()
    monkeypatch.setattr(freshness, "known_codes", lambda pairs: dict.fromkeys(pairs, "another"))
    differs()
    digests.append(freshness.made_of(results, []))
    assert len(set(digests)) == len(digests)


def test_an_edited_reader_of_what_runs_were_trained_on_makes_them_again(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = tmp_path / "harbour.py"
    reader.write_text(READER)
    monkeypatch.setenv(own_files.VARIABLE, str(reader))
    made = record(model="unet", code=code_of("bikenyc", "unet", "harbour"))
    ResultStore(results).write(trained_on(made, "harbour"))
    write_both(results, [])
    before = contents(results)
    reader.write_text(READER.replace("1.0", "2.0"))
    write_both(results, [])
    assert contents(results) == made_elsewhere(results) != before


def test_a_broken_note_is_no_note(results: Path) -> None:
    write_both(results, [])
    before = contents(results)
    for text in ("", "[]", "{}", '{"made_of": 1, "files": [], "there": []}'):
        (results / freshness.FILE).write_text(text)
        write_both(results, [])
        assert contents(results) == before


def test_a_check_says_which_tables_it_held_against_what(tmp_path: Path) -> None:
    ResultStore(tmp_path).write(record())
    CliRunner().invoke(app, ["tables", "--results", str(tmp_path), "short_term", "efficiency"])
    (tmp_path / "tables" / "notes.md").write_text("mine", encoding="utf-8")
    right = CliRunner().invoke(app, ["tables", "--check", "--results", str(tmp_path), "short_term", "efficiency"])
    assert right.exit_code == 0
    told = " ".join(right.output.split())
    assert f"checked 6 files in {tmp_path}/tables against the records in {tmp_path}/runs: all are as they say" in told
    assert "(tables: short_term, efficiency; not checked: notes.md)" in told
    (tmp_path / "tables" / "efficiency.csv").write_text("other", encoding="utf-8")
    wrong = CliRunner().invoke(app, ["tables", "--check", "--results", str(tmp_path), "short_term", "efficiency"])
    assert wrong.exit_code == 1
    assert "efficiency.csv differs from the records" in wrong.output
    assert "1 differs (tables: " in wrong.output


def test_a_check_calls_what_is_not_there_absent_and_wants_no_latex_where_none_is_kept(results: Path) -> None:
    def stbench(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["tables", "short_term", "--results", str(results), *options])
        return done.exit_code, " ".join(done.output.split())

    stbench()
    tables = results / "tables"
    (tables / "short_term.tex").unlink()
    code, told = stbench("--check")
    assert code == 0
    assert "checked 2 files" in told
    assert "all are as they say (tables: short_term; no .tex is kept there)" in told
    (tables / "other.tex").write_text("made here, so the others are wanted", encoding="utf-8")
    code, told = stbench("--check")
    assert code == 1
    assert f"{tables / 'short_term.tex'} is absent; 'stbench tables' makes it of the records" in told
    assert "differs from the records" not in told
    for path in tables.iterdir():
        path.unlink()
    code, told = stbench("--check")
    assert code == 1, "a folder without any table is not in order"
    assert "short_term.md is absent" in told


def test_a_check_says_what_is_left_over(results: Path) -> None:
    CliRunner().invoke(app, ["tables", "--results", str(results)])
    (results / "tables" / "tuning_ledger.md").write_text("of before", encoding="utf-8")
    done = CliRunner().invoke(app, ["tables", "tuning_ledger", "short_term", "--check", "--results", str(results)])
    assert done.exit_code == 1
    assert "tuning_ledger.md is left over" in " ".join(done.output.split())
