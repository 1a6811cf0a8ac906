"""The notebook among the examples does what it says, cell by cell, without Jupyter."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import pytest
from commands import environment

from bench.catalog import registry

NOTEBOOK = json.loads((registry.ROOT / "examples" / "notebook.ipynb").read_text(encoding="utf-8"))
MODELS = {"LinearSteps", "last_value", "historical_average"}


def cells(kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == kind]


@pytest.fixture
def pyplot():
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")


def test_the_notebook_is_ten_lines_of_plain_python_without_outputs():
    code = "\n".join(cells("code"))
    compile(code, "notebook", "exec")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    assert not {line[0] for line in code.splitlines() if line} & {"%", "!"}
    assert all(not cell.get("outputs") for cell in NOTEBOOK["cells"])
    order = [cell["cell_type"] for cell in NOTEBOOK["cells"]]
    assert all(before == "markdown" for before, kind in pairwise(order) if kind == "code")


def test_the_notebook_draws_its_own_model_beside_two_baselines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pyplot
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STBENCH_DATA", raising=False)
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells("code"):
        exec(compile(cell, "notebook", "exec"), names)  # noqa: S102 - our own
    assert capsys.readouterr().out.count(
        "on bikenyc (synthetic data, quick profile, not to be quoted), seed 0: MAE "
    ) == len(MODELS)
    (axes,) = pyplot.gcf().axes
    assert {label.get_text() for label in axes.get_xticklabels()} == MODELS
    assert all(bar.get_height() > 0 for bar in axes.patches)
    assert len(axes.patches) == len(MODELS)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


AS_IN_A_NOTEBOOK = """
import sys
from types import ModuleType
shell = ModuleType("IPython")
shell.get_ipython = lambda: None
sys.modules |= {"IPython": shell, "ipykernel.zmqshell": ModuleType("zmqshell")}
import bench
try:
    bench.tune(models=["last_value"], datasets=["bikenyc"])
except bench.BenchError as error:
    print(error, "tqdm.auto" in sys.modules)
"""


def test_a_notebook_is_told_of_no_bars_that_it_lacks(tmp_path):
    pytest.importorskip("optuna")
    variables = {**environment(), "PYTHONPATH": str(registry.ROOT)}
    command = [sys.executable, "-c", AS_IN_A_NOTEBOOK]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("fixes what it names True\n")
    assert "IProgress" not in done.stderr
