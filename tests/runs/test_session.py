"""What carries out a plan for a command and for a script alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.catalog.data import Catalog
from bench.cli.app import app
from bench.errors import ConfigError
from bench.records.planned import PlannedRun
from bench.runs.executors import Asked, Places
from bench.runs.executors.direct import Direct
from bench.runs.executors.processes import Processes
from bench.runs.plan import Selection, plan
from bench.runs.runner import Runner
from bench.runs.session import execute
from bench.runs.suite import load_suite

BUDGET = ("train.epochs=1", "train.steps_per_epoch=3", "train.batch_size=8")
FAR = Asked(name="slurm", places=Places(device="cpu"))


def planned(catalog: Catalog, *seeds: int) -> list[PlannedRun]:
    """The slow model first."""
    selection = Selection(models=("stid", "last_value"), datasets=("tiny", "tiny2"), seeds=seeds, overrides=BUDGET)
    return sorted(plan(load_suite("short_term"), selection, catalog), key=lambda run: run.model != "stid")


class Begun:
    """An executor that makes nothing and notes what it is given."""

    stores, here = False, "cpu"

    def __init__(self, jobs: int) -> None:
        self.jobs, self.models = jobs, list[tuple[str, str]]()

    def run(self, works: Any, follower: Any) -> None:
        self.models += [(work.run.model, work.run.dataset) for work in works]

    def beside(self, *_: object) -> Any: ...


def test_runs_begin_in_the_order_that_earlier_records_tell(catalog: Catalog, tmp_path: Path) -> None:
    execute(planned(catalog, 0), catalog, tmp_path, executor=Direct("cpu"))
    one, two = Begun(1), Begun(2)
    for executor in (one, two):
        execute(planned(catalog, 1), catalog, tmp_path, executor=executor)
    assert one.models == [(model, data) for data in ("tiny", "tiny2") for model in ("last_value", "stid")]
    assert [model for model, _ in two.models] == ["last_value"] * 2 + ["stid"] * 2


def test_a_script_loads_large_libraries_once_too(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr("bench.runs.session.warm_up", asked.append)
    monkeypatch.setattr(Runner, "run", lambda *_, **__: None)
    execute(planned(catalog, 0), catalog, tmp_path, executor=Processes(["cpu"], 1))
    assert asked == [["torch._dynamo"]]


def test_an_executor_is_connected_to_only_where_something_is_to_do(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    runs = planned(catalog, 0)[-1:]
    with pytest.raises(ConfigError, match="there is no Slurm here"):
        execute(runs, catalog, tmp_path, executor=FAR)
    execute(runs, catalog, tmp_path, executor=Direct("cpu"))
    assert execute(runs, catalog, tmp_path, executor=FAR) == {"done": 0, "skipped": 1, "failed": 0}


@pytest.mark.parametrize("command", ["run", "tune"])
def test_a_folder_with_another_package_of_our_name_is_refused_before_the_plan(
    command: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    (clone / "bench").mkdir(parents=True)
    monkeypatch.chdir(clone)
    words = [command, "--model", "stid", "--dataset", "tiny", "--data-dir", str(tiny), "--no-track"]
    (clone / "bench" / "__init__.py").touch()
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ConfigError)
    assert f"the folder {clone} has a package 'bench' of its own" in str(error)
    assert not list(clone.rglob("*.log"))
