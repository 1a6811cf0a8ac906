"""The supplement: unpacked elsewhere it is a results folder with the same tables."""

from __future__ import annotations

import hashlib
import io
import zipfile

import pandas as pd
import pytest
from records import record, suite
from reports import failing
from studies import tuned

from bench.analysis.formats.files import differing_files, table_files
from bench.analysis.report.page import shown
from bench.analysis.results import Results, artefacts
from bench.analysis.supplement import supplement, write_zip
from bench.errors import ConfigError
from bench.records.frame import to_frame
from bench.records.store import ResultStore
from bench.runs.suite import load_suite, load_suites
from bench.runs.tuned import TunedFolder


def packed(records, folder, *names, suites=None):
    results = Results(records, suites=suites or load_suites(), tuned=list(TunedFolder(folder).files()))
    return supplement(results, folder, names, lambda _: None)


def unpacked(files, folder, path):
    write_zip(files, path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def made():
    return [*suite(seeds=2, models=2), record(profile="quick", epochs=1), record(task="long", synthetic=True)]


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take seconds, and most tests are not about them."""
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])


@pytest.mark.slow
def test_an_unpacked_supplement_gives_the_same_frame_and_tables(made, tmp_path):
    TunedFolder(tmp_path).write("bikenyc", "model_00", "short", tuned())
    home = unpacked(packed(made, tmp_path), tmp_path / "there", tmp_path / "s.zip")
    for line in (home / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((home / name).read_bytes()).hexdigest() == digest
    listed = {line.split("  ")[1] for line in (home / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    there = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert listed == there - {"SHA256SUMS"}
    results = Results.load(home / "results")
    pd.testing.assert_frame_equal(results.frame.drop(columns="stale"), to_frame(made), check_like=True)
    assert differing_files(home / "results" / "tables", table_files(results, shown(results, "tables"))) == []
    assert (home / "results" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (home / "results" / "tuned" / "bikenyc" / "model_00.toml").exists()
    assert list((home / "results" / "figures").glob("efficiency-*.pdf"))
    for path in (home / "suites").glob("*.toml"):
        assert load_suite(str(path)).datasets


@pytest.mark.slow
def test_equal_results_give_equal_bytes(made, tmp_path, no_figures):
    for name, records in (("a", made), ("b", made[::-1])):
        write_zip(packed(records, tmp_path), tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_no_path_of_the_machine_is_inside(tmp_path, no_figures):
    files = packed([record(seed=1), failing(f"cannot read {tmp_path}/data/x.npz")], tmp_path)
    assert not [name for name, content in files.items() if str(tmp_path).encode() in content]
    kept = files[next(name for name in files if name.endswith(".failed.json"))]
    assert "cannot read …/x.npz" in kept.decode()


def test_named_suites_alone_are_packed(tmp_path, no_figures):
    made = [record(), record(task="long"), record(model="stvfm", overrides={"model.control": "identity"}, base={})]
    files = packed(made, tmp_path, "long_term")
    assert [name for name in files if name.startswith("results/runs/")] == [
        f"results/runs/bikenyc/stid/{made[1].run_id}.json"
    ]
    assert "results/tables/long_term.md" in files
    assert "results/tables/short_term.md" not in files
    check = f"stbench tables --check --results results long_term {' '.join(artefacts('tables'))}\n"
    assert check.encode() in files["README.txt"]


def test_a_suite_of_the_users_own_is_packed_with_its_file(tmp_path, no_figures):
    path = tmp_path / "mine.toml"
    lines = ('name = "own"', 'title = "Mine"', 'tasks = ["short"]', 'protocol = "strict"', 'datasets = ["bikenyc"]')
    path.write_text("\n".join([*lines, 'models = ["stid"]']), encoding="utf-8")
    suites = [*load_suites(), load_suite(str(path))]
    files = packed([record(), record(model="dlinear")], tmp_path, str(path), suites=suites)
    assert files["suites/mine.toml"] == path.read_bytes()
    assert [name.split("/")[3] for name in files if name.startswith("results/runs/")] == ["stid"]
    assert "results/tables/own.md" in files
    assert b"--results results suites/mine.toml efficiency" in files["README.txt"]


def test_tuned_settings_and_trials_of_what_is_packed_come_along(tmp_path, no_figures):
    for dataset in ("bikenyc", "taxibj"):
        TunedFolder(tmp_path).write(dataset, "stid", "short", tuned())
    (tmp_path / "tuned" / "bikenyc" / "stid.trials.json").write_text("{}", encoding="utf-8")
    files = packed([record()], tmp_path)
    kept = [name for name in files if name.startswith("results/tuned/")]
    assert kept == ["results/tuned/bikenyc/stid.toml", "results/tuned/bikenyc/stid.trials.json"]
    assert b"taxibj" not in files["results/tables/tuning_ledger.csv"]


def test_nothing_to_pack_and_a_zip_that_is_there_are_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="holds no run to export"):
        packed([], tmp_path)
    with pytest.raises(ConfigError, match="no run of long_term"):
        packed([record()], tmp_path, "long_term")
    write_zip({"a": b"1"}, tmp_path / "a.zip")
    with pytest.raises(ConfigError, match="--force replaces it"):
        write_zip({"a": b"2"}, tmp_path / "a.zip")
    write_zip({"a": b"2"}, tmp_path / "a.zip", force=True)
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.zip").read_bytes())) as archive:
        assert archive.read("a") == b"2"


def test_the_records_are_those_of_the_store_byte_for_byte(tmp_path, no_figures):
    made = record()
    ResultStore(tmp_path).write(made)
    name = f"runs/bikenyc/stid/{made.run_id}.json"
    assert packed([made], tmp_path)[f"results/{name}"] == (tmp_path / name).read_bytes()
