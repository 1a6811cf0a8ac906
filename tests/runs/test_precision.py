"""The precision of a run: resolved by its device when it is planned, and part of what it is known by."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
import torch
from commands import ROOT, environment
from torch import nn

from bench.errors import DeviceError
from bench.runs.estimate import pace_key
from bench.runs.own_model import own_model
from bench.runs.plan import Selection, plan, plan_own
from bench.runs.precision import precision_on
from bench.runs.suite import load_suite


@pytest.fixture
def gpu(monkeypatch):
    """A machine whose CUDA device has bf16, as far as planning asks."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)


@pytest.fixture
def make_plan(catalog):
    def make(*models, device="cpu", **choices):
        return plan(
            load_suite("short_term"), Selection(models=models, datasets=("tiny",), **choices), catalog, device=device
        )

    return make


@pytest.fixture
def driver(monkeypatch, tmp_path):
    """Puts a GPU's driver there, or takes it away."""

    def put(*, there):
        file = tmp_path / "driver"
        if there:
            file.touch()
        monkeypatch.setattr("bench.runs.precision.DRIVER_FILES", (str(file),))
        monkeypatch.setattr(sys, "platform", "linux")

    return put


def test_auto_is_fp32_on_the_cpu_and_bf16_on_a_gpu_that_has_it(gpu):
    assert precision_on("cpu", "auto") == "fp32"
    assert precision_on("cuda", "auto") == "bf16"


def test_auto_is_fp32_on_a_gpu_without_bf16(gpu, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert precision_on("cuda", "auto") == "fp32"


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "auto"])
def test_what_is_asked_for_stays_on_every_device(gpu, device, asked):
    assert precision_on(device, asked) == asked


def test_torch_is_asked_only_where_a_driver_is(gpu, driver):
    driver(there=False)
    assert precision_on("auto", "auto") == "fp32"
    driver(there=True)
    assert precision_on("auto", "auto") == "bf16"


def test_a_gpu_that_is_not_there_is_an_error_and_never_the_cpu():
    with pytest.raises(DeviceError):
        precision_on("cuda:99", "auto")


def test_the_resolved_precision_is_in_the_spec_and_in_the_run_id(gpu, make_plan):
    (slow,), (fast,) = make_plan("stid"), make_plan("stid", device="cuda")
    assert [msgspec.to_builtins(run.spec)["train"]["precision"] for run in (slow, fast)] == ["fp32", "bf16"]
    assert slow.run_id != fast.run_id
    assert slow.code == fast.code
    assert slow.label == fast.label
    assert pace_key(slow.spec) != pace_key(fast.spec)


def test_a_precision_that_is_asked_for_by_name_is_the_run_it_resolves_to(gpu, make_plan):
    for device, name in (("cpu", "fp32"), ("cuda", "bf16")):
        (usual,), (named,) = (make_plan("stid", device=device, overrides=o) for o in ((), (f"train.precision={name}",)))
        assert named.run_id == usual.run_id
        assert named.label.overrides == {"train.precision": name}


@pytest.mark.parametrize("overrides", [(), ("train.precision=bf16",)])
def test_a_naive_baseline_has_fp32_on_every_device_and_is_one_run(gpu, make_plan, overrides):
    runs = [run for device in ("cpu", "cuda") for run in make_plan("last_value", device=device, overrides=overrides)]
    assert [run.spec.train.precision for run in runs] == ["fp32", "fp32"]
    assert runs[0].run_id == runs[1].run_id


def test_a_model_of_ones_own_has_the_precision_of_its_device(gpu, catalog):
    class Own(nn.Module):
        pass

    selection = Selection(datasets=("tiny",), seeds=(0,))
    own = own_model(Own)
    for device, name in (("cpu", "fp32"), ("cuda", "bf16")):
        assert plan_own("Own", own.Config, selection, catalog, lambda _: "0" * 12, device).spec.train.precision == name


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_planning_where_there_can_be_no_gpu_loads_no_torch(device, tiny, tmp_path):
    program = f"""
import sys
from pathlib import Path
from bench.catalog.data import Catalog
from bench.runs import plan
from bench.runs.suite import load_suites
plan.DRIVER_FILES = ()
sys.platform = "linux"
catalog = Catalog(data_dir=Path({str(tiny)!r}), cache=Path({str(tmp_path / "cache")!r}))
for suite in load_suites():
    selection = plan.Selection(datasets=("tiny",), profile="paper")
    runs = plan.plan(suite, selection, catalog, device={device!r})
    assert {{run.spec.train.precision for run in runs}} == {{"fp32"}}
print("torch" in sys.modules)
"""
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout.strip()) == (0, "False"), answer.stderr


def test_a_plan_for_gpus_of_other_machines_says_its_precision(make_plan, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"runs that other machines make, --set train\.precision=bf16 or fp32"):
        make_plan("stid", device="cuda")
    (run,) = make_plan("stid", device="cuda", overrides=("train.precision=bf16",))
    assert run.spec.train.precision == "bf16"
