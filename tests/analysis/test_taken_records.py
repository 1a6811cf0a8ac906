"""What is taken among reference results: no record that was edited, in place of none that is noted."""

from __future__ import annotations

import msgspec
import pytest
from records import record
from typer.testing import CliRunner

from bench.analysis.reference import take
from bench.analysis.sums import SUMS, alterations, sha256
from bench.cli.app import app
from bench.errors import StoreError
from bench.records.record import dump
from bench.records.store import ResultStore


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No figure is drawn, which takes seconds, and no code is known here, so that no record is of earlier code."""
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])
    monkeypatch.setattr("bench.analysis.known_code.known_codes", lambda _: {})


def stbench(*words):
    return CliRunner().invoke(app, ["reference", *map(str, words)], env={"COLUMNS": "200"})


def test_a_folder_is_not_taken_from_itself(tmp_path, monkeypatch):
    take([record(profile="reference")], tmp_path)
    monkeypatch.chdir(tmp_path)
    refused = stbench("--take", ".", "--results", tmp_path)
    assert "is not taken from itself" in str(refused.exception)


def test_another_record_of_a_run_that_is_noted_is_refused_and_the_noted_one_comes_back(tmp_path):
    taken = record(profile="reference")
    take([taken], tmp_path)
    noted, path = (tmp_path / SUMS).read_bytes(), next(tmp_path.rglob("*.json"))
    other = msgspec.structs.replace(taken, ended=1.7e9)
    assert take([other], tmp_path) == 0, "what is there as it was taken stays"
    for content in (dump(other), None):
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(StoreError, match=f"{path.name} is another record of a run that SHA256SUMS notes already"):
            take([record(profile="reference", seed=1), other], tmp_path)
        assert (tmp_path / SUMS).read_bytes() == noted
    assert take([taken], tmp_path) == 1
    assert alterations(tmp_path) == []


def test_a_record_that_contradicts_itself_is_not_taken_and_no_table_is_made_of_it(tmp_path):
    run = record(profile="reference")
    forged = msgspec.structs.replace(run, counts=msgspec.structs.replace(run.counts, test_values=7))
    with pytest.raises(StoreError, match=f"{run.run_id}.json contradicts itself: its number of values on test is 7"):
        take([forged], tmp_path)
    assert not list(tmp_path.iterdir())
    ResultStore(tmp_path).write(forged)
    path = next((tmp_path / "runs").rglob("*.json"))
    (tmp_path / SUMS).write_text(f"{sha256(path)}  {path.relative_to(tmp_path)}\n", encoding="utf-8")
    assert "contradicts itself" in str(stbench("--results", tmp_path).exception)
    checked = stbench("--results", tmp_path, "--check")
    assert checked.exit_code == 1
    assert f"{run.run_id}.json contradicts itself" in " ".join(checked.output.split())
    assert "'stbench reference' mends it" not in checked.output


def test_a_results_folder_whose_noted_records_were_changed_is_not_taken(tmp_path):
    source = tmp_path / "source"
    take([record(profile="reference"), record(profile="reference", seed=1)], source)
    path = next((source / "runs").rglob("*.json"))
    path.write_bytes(path.read_bytes() + b" ")
    refused = stbench("--take", source, "--results", tmp_path / "reference")
    assert f"not as its SHA256SUMS says: {path.relative_to(source)}; restore" in str(refused.exception)
    assert not (tmp_path / "reference").exists()


def test_a_file_that_is_left_out_fails_the_check_although_its_digest_is_noted(tmp_path):
    take([record(profile="reference")], tmp_path)
    stbench("--results", tmp_path)
    assert stbench("--results", tmp_path, "--check").exit_code == 0
    path = next((tmp_path / "runs").rglob("*.json"))
    copy = path.with_name("0" * 16 + path.name[16:])
    copy.write_bytes(path.read_bytes())
    with (tmp_path / SUMS).open("a", encoding="utf-8") as sums:
        sums.write(f"{sha256(copy)}  {copy.relative_to(tmp_path)}\n")
    checked = stbench("--results", tmp_path, "--check")
    assert checked.exit_code == 1
    assert "belongs elsewhere" in " ".join(checked.output.split())
