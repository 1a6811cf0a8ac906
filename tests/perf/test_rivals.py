"""Side by side with other frameworks: what is asked of their checkouts, and that both sides do the same work."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import rivals
import torch
import typer
from typer.testing import CliRunner

from bench.errors import ConfigError, MissingPackageError, TrainingError
from bench.perf import basicts, openstl
from bench.perf._rivals import PER_DAY, Epoch, checkout, made_data, our_epoch, row
from bench.scoring import EVALUATION_BATCH
from bench.settings import TaskSettings, chronological_split
from bench.task import Task
from bench.windows import fit_scaler


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """What a checkout put on the import path, and what was imported of it, goes."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("basicts", "openstl")]:
        del sys.modules[name]


def theirs(tmp_path):
    return checkout("BasicTS", rivals.basicts(tmp_path), "src", "basicts")


@pytest.mark.parametrize(("command", "option"), [(basicts.main, "--basicts"), (openstl.main, "--openstl")])
def test_a_folder_without_the_package_is_refused_in_one_sentence(command, option, tmp_path):
    app = typer.Typer()
    app.command()(command)
    error = CliRunner().invoke(app, [option, str(tmp_path)]).exception
    assert isinstance(error, ConfigError)
    assert "wanted a checkout of it, with " in str(error)
    assert str(tmp_path) in str(error)


def test_a_script_ends_with_exit_code_2_and_no_traceback(tmp_path):
    command = [sys.executable, "-m", "bench.perf.basicts", "--basicts", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: there is no BasicTS in ")
    assert len(ended.stderr.splitlines()) == 1


def test_a_package_that_they_need_and_is_not_there_is_named(tmp_path):
    found = theirs(tmp_path)
    (tmp_path / "src" / "basicts" / "models" / "STID.py").write_text("import easytorch_of_nobody")
    with pytest.raises(MissingPackageError, match="easytorch_of_nobody"):
        found.module("basicts.models.STID")


def test_the_commit_of_a_git_checkout_is_stated(tmp_path):
    assert theirs(tmp_path).commit is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert head.startswith(theirs(tmp_path).commit)
    assert len(theirs(tmp_path).commit) >= 7


def test_all_scalers_agree_on_the_made_data():
    values = made_data(700, (2, 3), 2).values
    cells = values.std(axis=0)
    scaler = fit_scaler(values, np.ones(values.shape, dtype=bool), (0, 700), "standard")
    assert cells == pytest.approx(np.ones_like(cells), abs=1e-5)
    assert scaler.scale.flatten().tolist() == pytest.approx([1, 1], abs=1e-5)


def test_the_files_hold_the_windows_of_our_splits_and_the_clock(tmp_path):
    data = basicts.Setting(steps=3, batch=8, grid=(2, 2)).data()
    basicts.write(data, tmp_path)
    counts = Task(data, TaskSettings(name="short", history=12, horizon=12), torch.device("cpu")).counts()
    for name in ("train", "val", "test"):
        values, clock = (np.load(tmp_path / f"{name}_{kind}.npy") for kind in ("data", "timestamps"))
        assert len(values) == len(clock)
        assert len(values) - 24 + 1 == counts[name]
    start, _ = chronological_split(len(data.values))["val"]
    slots = (np.load(tmp_path / "val_timestamps.npy") * (PER_DAY, 7)).astype(int)
    assert (slots[12] == data.clock[start]).all()


def test_both_sides_train_for_the_same_steps_on_the_same_numbers(tmp_path):
    setting = basicts.Setting(steps=3, batch=8, grid=(2, 2))
    ours_and_theirs = basicts.compared(theirs(tmp_path), setting, ["MAE"], 1, 2)
    for epochs in ours_and_theirs:
        assert [epoch.steps for epoch in epochs] == [3, 3]
        assert all(epoch.seconds > 0 and 0.2 < epoch.loss < 2 for epoch in epochs)


def test_each_side_is_first_in_every_other_pair(tmp_path, monkeypatch):
    order = []
    for side in ("their_epoch", "our_epoch"):
        for script in (basicts, openstl):
            monkeypatch.setattr(script, side, lambda *_, side=side: order.append(side))
    basicts.compared(theirs(tmp_path), basicts.Setting(steps=3, batch=8, grid=(2, 2)), ["MAE"], 1, 2)
    openstl.compared(theirs(tmp_path), "SimVP", made_data(100, (2, 2), 2), 8, 1, 2)
    assert order == 2 * ["their_epoch", "our_epoch", "our_epoch", "their_epoch"]


def test_both_validate_as_many_windows_at_once_whatever_the_batch_of_training(tmp_path):
    found, sizes = theirs(tmp_path), {}
    config = basicts.their_config(
        found, basicts.Setting(steps=3, batch=8, grid=(2, 2)), ["MAE"], tmp_path, tmp_path, basicts.Clock()
    )
    assert (config.train_batch_size, config.val_batch_size) == (8, EVALUATION_BATCH)

    def loader(dataset, *, batch_size, shuffle, **_):
        sizes[shuffle] = batch_size

    openstl._loaders(made_of(TaxibjDataset=lambda *frames: frames, create_loader=loader), made_data(100, (2, 2), 2), 8)
    assert sizes == {True: 8, False: EVALUATION_BATCH}


def made_of(**named):
    """A checkout of which every module has these."""
    return SimpleNamespace(module=lambda _: SimpleNamespace(**named))


def test_their_model_gets_the_same_in_both(tmp_path):
    found, data = theirs(tmp_path), basicts.Setting(steps=3, batch=8, grid=(2, 3)).data()
    task = Task(data, TaskSettings(name="short", history=12, horizon=12), torch.device("cpu"))
    basicts.write(data, tmp_path)
    values, clock = (torch.from_numpy(np.load(tmp_path / f"train_{kind}.npy")) for kind in ("data", "timestamps"))
    model = basicts.Wrapped(found, task.shape)
    torch.nn.init.normal_(model.inner.slot)
    torch.nn.init.normal_(model.inner.day)
    chosen = torch.tensor([5, 30])
    steps = chosen[:, None] + torch.arange(12)
    scaled = task.scaler.scaled(values[steps].reshape(2, 12, 1, 2, 3)).flatten(2)
    assert torch.allclose(model(task.train.window(chosen)).flatten(2), model.inner(scaled, clock[steps]), atol=1e-5)


def test_the_command_has_a_row_for_each_size_and_kind_of_metrics(tmp_path):
    app = typer.Typer()
    app.command()(basicts.main)
    options = ["--windows", "128", "--batch", "16", "--batch", "32", "--side", "2", "--rounds", "1", "--threads", "1"]
    result = CliRunner().invoke(app, ["--basicts", str(rivals.basicts(tmp_path)), *options, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "starting" not in result.output
    rows = [line.split(" | ")[:4] for line in (tmp_path / "basicts.md").read_text().splitlines() if "| 4 |" in line]
    metrics = ("MAE alone", "five, its default")
    assert rows == [[f"| {batch}", "4", name, "1"] for batch in (16, 32) for name in metrics]


def test_sides_that_do_not_do_the_same_have_no_ratio():
    epochs = [[Epoch(seconds=1.0, steps=steps, loss=1.0)] * 2 for steps in (3, 4)]
    with pytest.raises(TrainingError, match="their epoch has 3 steps and ours 4"):
        row({"model": "STID"}, *epochs, least=1.3)


def test_a_ratio_above_one_says_that_ours_is_faster_and_the_first_epoch_is_left_out():
    slow, fast = ([Epoch(seconds=s, steps=3, loss=1.0) for s in times] for times in ([99.0, 3.0, 4.0], [1.0, 2.0, 2.0]))
    made = row({"model": "STID"}, slow, fast, least=1.3)
    assert (made["our speed over theirs"].median, made["holds"]) == (1.75, True)
    assert row({"model": "STID"}, fast, slow, least=1.3)["holds"] is False


def test_our_epoch_leaves_torch_as_it_was():
    before = torch.are_deterministic_algorithms_enabled(), torch.random.get_rng_state()
    data = made_data(200, (2, 2), 1)
    recipe = basicts.Setting(steps=2, batch=8, grid=(2, 2)).recipe()

    def make(shape):
        from baselines.stid import Config, Model

        return Model(shape, Config())

    epoch = our_epoch(make, data, TaskSettings(name="short"), recipe)
    assert epoch.steps == 2
    assert torch.are_deterministic_algorithms_enabled() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
