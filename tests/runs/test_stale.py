"""``stbench status`` on results made before an edit: current after one that moves no number, stale after another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands import environment
from msgspec.structs import replace
from projects import Project
from records import record

from bench.records.planned import PlannedRun
from bench.runs.status import plan_status

TORCH = "import torch\nfrom torch import Tensor, nn\n"


@pytest.fixture
def stbench(project: Project, tiny: Path, tmp_path: Path):
    """The command line of the edited copy, on one run of a toy model."""

    def call(command: str, *options: str) -> str:
        names = ["--model", "toy_mean", "--dataset", "tiny", "--data-dir", tiny, "--results", tmp_path / "results"]
        line = [sys.executable, "-m", "bench", command, *map(str, names), *options]
        answer = subprocess.run(line, cwd=project.root, env=environment(), capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return " ".join(answer.stdout.split())

    project.write("baselines/toy_mean.py", (project.root / "baselines/window_mean.py").read_text(encoding="utf-8"))
    project.write("baselines/_toy.py", "SHARE = 1.0\n")
    project.edit("baselines/toy_mean.py", "from torch import Tensor, nn\n", TORCH)
    project.edit("baselines/toy_mean.py", "import Tensor, nn\n", "import Tensor, nn\n\nfrom ._toy import SHARE\n")
    project.edit("baselines/toy_mean.py", "        return ", "        return SHARE * torch.ones(()) * ")
    return call


def test_a_run_stays_current_after_swapped_imports_and_is_stale_after_an_edit(stbench, project: Project) -> None:
    stbench("run", "--no-track")
    assert stbench("status").endswith("1 run: 1 done")
    project.edit("baselines/toy_mean.py", TORCH, "from torch import Tensor, nn\nimport torch\n")
    project.move("baselines/_toy.py", "baselines/_share.py")
    project.edit("baselines/toy_mean.py", "._toy", "._share")
    assert stbench("status").endswith("1 run: 1 done")
    project.edit("baselines/_share.py", "1.0", "0.9")
    assert stbench("status").endswith("1 run: 1 stale")


def test_a_run_of_a_record_of_the_schema_before_is_stale_and_not_missing() -> None:
    made = record("bikenyc", model="last_value")
    before = replace(made, run_id=f"{'0' * 16}.{made.code}")  # its id was made in another way
    planned = PlannedRun(spec=made.spec, code="f" * 12, method="last_value", label=made.label)
    counts, _ = plan_status([planned], [before])
    assert counts[("bikenyc", "last_value")] == {"stale": 1}
