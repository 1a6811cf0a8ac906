"""The file of pre-trained weights is a fact of a run: in its identity and its record, and the same when it starts."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
import torch
from hub import put, safetensors
from typer.testing import CliRunner

from bench.catalog.pretrained import check_weights
from bench.cli.app import app
from bench.errors import WeightsError
from bench.records.record import parse
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.session import plan_suite
from bench.runs.suite import load_suite
from bench.runs.worker import open_task
from stvfm.backbones import LIBRARIES
from stvfm.zoo import BACKBONES

pytestmark = pytest.mark.usefixtures("no_weights")
CPU = torch.device("cpu")
BUDGET = ("train.epochs=1", "train.steps_per_epoch=1", "train.batch_size=4", "model.depth=1", "model.prompts=2")
SOURCE = BACKBONES["vit_tiny"].source


def content(seed: int) -> bytes:
    torch.manual_seed(seed)
    return safetensors(LIBRARIES["timm"].make(BACKBONES["vit_tiny"], BACKBONES["vit_tiny"].depth).state_dict())


def sha256(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


@pytest.fixture
def planned(catalog):
    def make(weights: str = "pretrained"):
        overrides = (*BUDGET, f"model.weights={weights}")
        selection = Selection(models=("stvfm",), datasets=("tiny",), overrides=overrides)
        (run,) = plan(load_suite("short_term"), selection, catalog)
        return run

    return make


def test_a_run_from_another_file_is_another_run_and_its_record_holds_the_digest(planned, folder, catalog, tmp_path):
    first, second = content(1), content(2)
    path = put(SOURCE.within(folder), first)
    run = planned()
    assert run.spec.weights_sha256 == sha256(first)
    runner = Runner(catalog, tmp_path / "results", CPU)
    assert runner.run([run])["done"] == 1
    (record,) = runner.store.records()
    assert record.spec.weights_sha256 == sha256(first)
    assert parse((tmp_path / f"results/runs/tiny/stvfm/{run.run_id}.json").read_bytes(), "a test") == record

    put(path, second)
    other = planned()
    assert other.spec_id != run.spec_id
    assert other.spec.settings_id != run.spec.settings_id
    assert planned().run_id == other.run_id


def test_a_run_of_random_weights_has_no_digest_and_the_id_that_it_had_before_digests_were_kept(planned, folder):
    put(SOURCE.within(folder), content(1))
    spec = planned("random").spec
    assert spec.weights_sha256 is None
    put(SOURCE.within(folder), content(2))
    assert planned("random").spec.spec_id == spec.spec_id


def test_a_file_that_changed_since_the_plan_fails_its_run_in_one_sentence(planned, folder, catalog, tmp_path):
    put(SOURCE.within(folder), content(1))
    run = planned()
    put(SOURCE.within(folder), content(2))
    runner = Runner(catalog, tmp_path / "results", CPU)
    assert runner.run([run])["failed"] == 1
    (record,) = runner.store.records()
    assert record.error.type == "WeightsError"
    assert "are not those of the plan" in record.error.message
    assert f"wanted sha256 {run.spec.weights_sha256}, found {sha256(content(2))}" in record.error.message
    with pytest.raises(WeightsError, match="are not those of the plan"):
        open_task(run, catalog, CPU, test_allowed=False)


def test_planning_looks_and_running_fetches(hub, catalog, tmp_path):
    hub.files[str(BACKBONES["dino_small"].source)] = content(1)
    overrides = (*BUDGET, "model.weights=pretrained", "model.backbone=dino_small")
    selection = Selection(models=("stvfm",), datasets=("tiny",), overrides=overrides)
    suite = load_suite("short_term")
    (looked,) = plan_suite(suite, selection, catalog, tmp_path)
    assert looked.spec.weights_sha256 is None
    assert not hub.requests
    (fetched,) = plan_suite(suite, selection, catalog, tmp_path, fetch="unknown")
    assert fetched.spec.weights_sha256 == sha256(content(1))


def test_a_run_whose_weights_are_absent_names_those_that_are_here(planned, folder):
    put(BACKBONES["dino_small"].source.within(folder), content(1))
    with pytest.raises(WeightsError, match=r"; dino_small is here: --set model[.]backbone=dino_small, or settings=$"):
        check_weights("stvfm", planned().spec.config, None)


def test_runs_of_other_weights_are_counted_with_the_folder_that_they_read(planned, folder, catalog, tmp_path, tiny):
    put(SOURCE.within(folder), content(1))
    assert Runner(catalog, tmp_path / "results", CPU).run([planned()])["done"] == 1
    sets = [word for text in (*BUDGET, "model.weights=pretrained") for word in ("--set", text)]
    where = ["--data-dir", str(tiny), "--results", str(tmp_path / "results"), "--device", "cpu"]

    def status(*words):
        command = ["status", "--model", "stvfm", "--dataset", "tiny", *where, *sets, *words]
        with pytest.MonkeyPatch.context() as variables:
            variables.delenv("STBENCH_WEIGHTS")
            return CliRunner().invoke(app, command, env={"COLUMNS": "400"}).output

    assert "other settings (weights_sha256); another --weights-dir (or $STBENCH_WEIGHTS) counts them" in status()
    both = status("--set", "train.lr=0.5")
    assert "train.lr" in both
    assert "another --weights-dir (or $STBENCH_WEIGHTS), --profile, --task, --seed or --set counts them" in both
    assert "1 run: 1 done" in status("--weights-dir", str(folder))


@pytest.mark.parametrize("command", [["run", "--dry-run"], ["status"]])
def test_looking_at_a_plan_downloads_nothing(command, hub, tiny, tmp_path):
    hub.files[str(BACKBONES["dino_small"].source)] = content(1)
    sets = [
        word for text in (*BUDGET, "model.weights=pretrained", "model.backbone=dino_small") for word in ("--set", text)
    ]
    where = ["--data-dir", str(tiny), "--results", str(tmp_path / "results"), "--device", "cpu"]
    (tmp_path / "results").mkdir()
    words = [*command, "--model", "stvfm", "--dataset", "tiny", *where, *sets]
    result = CliRunner().invoke(app, words, env={"COLUMNS": "400"})
    assert result.exit_code == 0, result.output
    assert not hub.requests
    lines = [line for line in result.output.splitlines() if "pre-trained weights" in line]
    assert len(lines) == (command[0] == "run")
    for line in lines:
        assert line.startswith("missing: the pre-trained weights dino_small are not on this machine; 'stbench weights")
        assert "; the ids of runs with dino_small will be others when these are here" in line


@pytest.mark.parametrize("executor", [["processes"], ["slurm", "--slurm-local"]], ids=["here", "elsewhere"])
def test_before_runs_begin_absent_weights_are_told_and_for_other_machines_fetched(
    executor, hub, tiny, tmp_path, monkeypatch
):
    monkeypatch.setattr("bench.cli.run._execute", lambda *_, **__: Counter(done=0, skipped=0, failed=0))
    sets = [word for text in (*BUDGET, "model.weights=pretrained") for word in ("--set", text)]
    where = ["--data-dir", str(tiny), "--results", str(tmp_path / "results"), "--device", "cpu", "--no-track"]
    words = ["run", "--model", "stvfm", "--dataset", "tiny", *where, *sets, "--executor", *executor]
    told = "missing: the pre-trained weights vit_tiny are not on this machine"
    assert told in CliRunner().invoke(app, words, env={"COLUMNS": "400"}).output
    assert bool(hub.requests) == (executor != ["processes"])
    hub.files[str(SOURCE)] = content(1)
    there = told not in CliRunner().invoke(app, words, env={"COLUMNS": "400"}).output
    assert there == (executor != ["processes"])


def test_nothing_is_fetched_for_a_run_that_is_in_the_store(hub, catalog, tmp_path, monkeypatch):
    selection = Selection(models=("stvfm",), datasets=("tiny",), overrides=(*BUDGET, "model.weights=pretrained"))
    monkeypatch.setattr("bench.runs.session.ResultStore.has", lambda *_: True)
    plan_suite(load_suite("short_term"), selection, catalog, tmp_path, fetch="all")
    assert not hub.requests
