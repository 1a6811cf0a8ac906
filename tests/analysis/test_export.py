"""The supplement: unpacked elsewhere it is a results folder with the same tables, and says how to make it again."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import zipfile

import pandas as pd
import pytest
from records import record, suite
from studies import tuned

from bench.analysis.results import Runs
from bench.analysis.tables.scores import check_tables
from bench.catalog import registry
from bench.cli.export import supplement, write_zip
from bench.cli.options import chosen_tables, current_frame
from bench.cli.reproduce import again
from bench.errors import ConfigError
from bench.records.frame import frame_from_records, load_frame
from bench.records.store import ResultStore
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.suite import load_suite
from bench.runs.tuned import TunedFolder


def packed(records, results, *names):
    return supplement(records, results, names, lambda _: None)


def unpacked(files, folder, path):
    write_zip(files, path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def made():
    return [*suite(seeds=2, models=2), record(profile="quick", epochs=1), record(task="long", stand_in=True)]


@pytest.fixture
def no_figures(monkeypatch):
    """Figures over suites take seconds, and most tests are not about them."""
    monkeypatch.setattr("bench.analysis.figures.overviews.overview_figures", lambda *_: [])


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
    pd.testing.assert_frame_equal(load_frame(home / "results"), frame_from_records(made))
    runs = Runs(current_frame(home / "results", None))
    assert check_tables(runs, home / "results" / "tables", *chosen_tables(())) == []
    assert (home / "results" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (home / "results" / "tuned" / "bikenyc" / "model_00.toml").exists()
    assert list((home / "results" / "figures").glob("cost-*.pdf"))
    for path in (home / "suites").glob("*.toml"):
        assert load_suite(str(path)).datasets


@pytest.mark.slow
def test_equal_results_give_equal_bytes(made, tmp_path, no_figures):
    for name, records in (("a", made), ("b", made[::-1])):
        write_zip(packed(records, tmp_path), tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_no_path_of_the_machine_is_inside(tmp_path, no_figures):
    made = record(failed=True)
    made["error"]["message"] = f"cannot read {tmp_path}/data/x.npz"
    files = packed([record(seed=1), made], tmp_path)
    assert not [name for name, content in files.items() if str(tmp_path).encode() in content]
    assert b"cannot read \\u2026/x.npz" in files[next(name for name in files if name.endswith(".failed.json"))]


def test_named_suites_alone_are_packed(tmp_path, no_figures):
    made = [record(), record(task="long"), record(model="stvfm", overrides={"model.control": "identity"}, base={})]
    files = packed(made, tmp_path, "long_term")
    assert [name for name in files if name.startswith("results/runs/")] == [
        f"results/runs/bikenyc/stid/{made[1]['run_id']}.json"
    ]
    assert "results/tables/long_term.md" in files
    assert "results/tables/short_term.md" not in files
    assert b"stbench tables --check --results results long_term ranks" in files["README.txt"]


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


def replanned(commands, folder, catalog, results):
    """The runs of these commands, found by reading them as the command line does."""
    runs = {}
    for command in commands:
        words = shlex.split(command)
        options: dict[str, list[str]] = {}
        for name, value in zip(words, [*words[1:], ""], strict=True):
            if name.startswith("--"):
                options.setdefault(name, []).append(value)
        chosen = Selection(
            variants=tuple(options["--variant"]),
            datasets=tuple(options["--dataset"]),
            seeds=tuple(map(int, options["--seed"])),
            profile=options["--profile"][0],
            task=options.get("--task", [None])[0],
            overrides=tuple(options.get("--set", ())),
        )
        tuned_folder = TunedFolder(results) if "--tuned" in options else None
        found = plan(load_suite(str(folder / options["--suite"][0])), chosen, catalog, tuned_folder)
        runs |= {run.run_id: dict(run.label) for run in found}
    return runs


def test_the_commands_make_just_the_runs_that_were_made_with_their_labels(catalog, tmp_path):
    suites = [
        ("short_term", Selection(models=("last_value", "stid"), datasets=("tiny", "tiny2"), seeds=(0, 1))),
        ("short_term", Selection(models=("stid",), datasets=("tiny",), overrides=("train.epochs=2", "model.width=64"))),
        ("short_term", Selection(models=("stid",), datasets=("tiny",), overrides=("task.history=8",))),
        ("few_shot", Selection(models=("dlinear",), datasets=("tiny2",))),
        ("controls", Selection(variants=("no backbone", "random, frozen"), datasets=("tiny",))),
        ("controls", Selection(variants=("shuffled tokens",), datasets=("tiny",), overrides=("model.depth=2",))),
    ]
    planned = {run.run_id: run for name, chosen in suites for run in plan(load_suite(name), chosen, catalog)}
    rows = frame_from_records([planned_record(run) for run in planned.values()]).to_dict("records")
    made = again(rows)
    for each in made:
        (tmp_path / f"{each.name}.toml").write_text(each.text, encoding="utf-8")
    commands = [command for each in made for command in each.commands]
    found = replanned(commands, tmp_path, catalog, tmp_path)
    assert found == {run_id: dict(run.label) for run_id, run in planned.items()}
    assert again(rows[::-1]) == made


def planned_record(run):
    """A finished record of a planned run that nobody ran."""
    spec = run.spec.as_dict()
    shell = record(run.dataset, weights=run.spec.weights)
    return shell | {
        "run_id": run.run_id,
        "code": run.code,
        "spec": spec,
        "label": dict(run.label),
        "role": registry.role(run.model),
        "data": {key: spec["data"][key] for key in ("version", "sha256", "stand_in")},
    }


@pytest.mark.slow
def test_tuned_runs_are_made_again_from_their_files(catalog, tmp_path):
    TunedFolder(tmp_path).write("tiny", "stid", "short", tuned(profile="quick"))
    chosen = Selection(models=("stid", "last_value"), datasets=("tiny",))
    runs = plan(load_suite("short_term"), chosen, catalog, TunedFolder(tmp_path))
    import torch

    Runner(catalog, tmp_path, torch.device("cpu")).run(runs)
    files = packed(list(ResultStore(tmp_path).records()), tmp_path)
    home = unpacked(files, tmp_path / "there", tmp_path / "s.zip")
    text = (home / "README.txt").read_text(encoding="utf-8")
    commands = re.findall(r"stbench run(?:.*\\\n)*.*", text)
    assert set(replanned(commands, home, catalog, home / "results")) == {run.run_id for run in runs}
