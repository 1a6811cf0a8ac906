"""The examples are used as their own words say: a file that is put into place, a package that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.types import TaskShape, Window

ROOT = Path(__file__).resolve().parent.parent
BUDGET = ["--set", "train.epochs=2", "--set", "train.steps_per_epoch=4", "--no-track"]


def command(*arguments, path=None):
    environment = {**os.environ, "COLUMNS": "200", "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    line = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of an installation of the third party's package, which needs no network."""
    folder = tmp_path_factory.mktemp("site")
    source = shutil.copytree(ROOT / "examples" / "thirdparty", tmp_path_factory.mktemp("source") / "thirdparty")
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    answer = command("pip", "install", *offline, "--target", folder, source)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder


@pytest.mark.slow
def test_an_installed_package_brings_its_model_and_its_data_set(installed, tmp_path):
    names = command("bench", "list", path=installed).stdout
    assert "Tide: the last value" in " ".join(names.split())
    assert "Harbour, Nowhere" in names
    assert "-0.1 to 0.1" in command("bench", "show", "tide", path=installed).stdout
    (tmp_path / "data" / "harbour").mkdir(parents=True)
    ships = np.random.default_rng(0).poisson(5, (720, 4, 5)).astype(np.float32)
    np.savez(tmp_path / "data" / "harbour" / "harbour.npz", ships=ships)
    plan = ["--model", "tide", "--model", "last_value", "--dataset", "harbour", "--data-dir", tmp_path / "data"]
    answer = command("bench", "run", *plan, *BUDGET, "--results", tmp_path / "results", path=installed)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "harbour / tide / seed 0" in answer.stdout
    assert "1 data set (0 synthetic)" in answer.stdout
    table = (tmp_path / "results" / "tables" / "short_term.md").read_text(encoding="utf-8")
    assert "Tide" in table
    assert "| Harbour |" in table


@pytest.mark.slow
def test_a_broken_file_of_an_installed_data_set_is_one_sentence(installed, tmp_path):
    (tmp_path / "data" / "harbour").mkdir(parents=True)
    (tmp_path / "data" / "harbour" / "harbour.npz").write_bytes(b"no ships here")
    plan = ["--model", "last_value", "--dataset", "harbour", "--data-dir", tmp_path / "data", "--no-track"]
    answer = command("bench", "run", *plan, "--results", tmp_path / "results", path=installed)
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert "holds no array 'ships'" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_the_example_of_a_model_is_one_short_file_that_forecasts(tmp_path, monkeypatch):
    source = ROOT / "examples" / "drift.py"
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 30
    shutil.copy(source, tmp_path / "drift_example.py")
    monkeypatch.syspath_prepend(tmp_path)
    import drift_example

    shape = TaskShape(history=4, horizon=3, channels=2, grid=(3, 5), slots_per_day=48)
    model = drift_example.Model(shape, drift_example.Config())
    clock = torch.zeros(2, 4, 2, dtype=torch.int64)
    window = Window(
        history=(history := torch.randn(2, 4, 2, 3, 5)),
        history_valid=torch.ones_like(history).bool(),
        history_clock=clock,
        horizon_clock=clock[:, :3],
    )
    last = window.history[:, -1:].expand(-1, 3, -1, -1, -1)
    torch.testing.assert_close(model(window), last)
    torch.nn.init.constant_(model.share, 0.5)
    torch.testing.assert_close(model(window), last + 0.5 * (last - window.history[:, -2:-1]))


@pytest.mark.slow
def test_an_array_of_jobs_makes_the_whole_plan(tiny, tmp_path):
    plan = ["--model", "last_value", "--model", "window_mean", "--dataset", "tiny", "--dataset", "tiny2", "--jobs", "1"]
    folders = ["--data-dir", str(tiny), "--results", str(tmp_path / "results")]
    task = {f"SLURM_ARRAY_TASK_{name}": number for name, number in (("MIN", "1"), ("MAX", "2"), ("COUNT", "2"))}
    task["STBENCH"] = f"{sys.executable} -m bench"
    for number, made in (("1", 2), ("2", 4)):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **task, "SLURM_ARRAY_TASK_ID": number}
        script = ["bash", "examples/slurm_array.sh", *plan, *folders]
        answer = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert len(list((tmp_path / "results").glob("runs/*/*/*.json"))) == made
    assert not (tmp_path / "results" / "mlflow.db").exists()


def test_the_script_of_an_array_without_slurm_says_how_it_is_submitted():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    script = ["bash", "examples/slurm_array.sh", "--all"]
    answer = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("this is an array of Slurm jobs: submit it with 'sbatch examples/slurm_array.sh ")


@pytest.mark.parametrize("array", ["3 7 2", "0 1 2", "1 5 3"])
def test_an_array_that_would_leave_a_part_of_the_plan_out_is_refused(array):
    numbers = dict(zip(("MIN", "MAX", "COUNT"), array.split(), strict=True), ID=array[0])
    environment = {**os.environ, "STBENCH": "echo", **{f"SLURM_ARRAY_TASK_{name}": it for name, it in numbers.items()}}
    script = ["bash", "examples/slurm_array.sh"]
    answer = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "the array must be --array=1-N" in answer.stderr


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_a_container_takes_torch_alone_from_an_index_of_its_own(name):
    text = (ROOT / "containers" / name).read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if "--index-url" in line]
    assert "pip install --no-deps" in line  # the index has other versions of what torch needs
    assert line.endswith(" torch torchvision")


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_a_container_has_all_that_the_package_is_built_of(name):
    text = (ROOT / "containers" / name).read_text(encoding="utf-8")
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = [package.rstrip("*") for package in build["tool"]["setuptools"]["packages"]["find"]["include"]]
    needed = ["pyproject.toml", "constraints.txt", build["project"]["readme"], *packages]
    needed += build["project"]["license-files"]
    assert [file for file in needed if not re.search(rf"^(COPY .*|    ){re.escape(file)} ", text, re.MULTILINE)] == []
    (extras,) = re.findall(r"extras=([\w,]+)", text, re.IGNORECASE)
    assert set(extras.split(",")) <= set(build["project"]["optional-dependencies"])
