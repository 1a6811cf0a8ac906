"""What docs/mlflow.md shows in Python runs as it stands there, in a folder that has results."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from records import record
from tracked import follow

import bench
from bench.records.command import command_of
from bench.records.mlflow_address import default_uri
from bench.records.tracking import records_from

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, on its libraries
DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "mlflow.md"


def test_the_blocks_of_python_track_runs_and_find_the_best_of_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    made = [record(seed=seed, mae=mae) for seed, mae in ((0, 1.5), (1, 1.25))]

    def run(*, observers: list[Any], **asked: list[str]) -> None:
        assert asked == {"models": ["stid"], "datasets": ["bikenyc"]}
        for one in made:
            follow(observers[0], one)

    monkeypatch.setattr(bench, "run", run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # whatever is set by a block is forgotten again
    for code in re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(code, str(DOCUMENT), "exec"), {})  # noqa: S102 - it is ours
    importlib.import_module("mlflow").set_tracking_uri("")  # for tests that come after this one
    assert sorted(records_from(default_uri(tmp_path / "results")), key=lambda one: one.seed) == made
    assert f"{command_of(made[1])} {made[1].run_id}" in capfd.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["results"]
