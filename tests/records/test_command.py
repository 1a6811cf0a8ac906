"""The command of a record plans the very run that it is of."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from hostile import model_text
from records import record
from typer.testing import CliRunner

import bench.cli.run
from bench.catalog.own_files import VARIABLE
from bench.cli.app import app
from bench.records.command import command_of
from bench.records.planned import PlannedRun

PLANS = [
    ["--model", "stid"],
    ["--model", "stid", "--seed", "7", "--profile", "paper", "--set", "model.width=16", "--set", "train.lr=0.01"],
    ["--model", "last_value", "--task", "few10", "--protocol", "unist", "--set", "task.history=4"],
    ["--model", "stvfm", "--profile", "laptop", "--set", "model.weights=random", "--set", "task.calendar=false"],
    ["--model", "stid", "--task", "transfer1", "--set", "task.sources=tiny2", "--set", "task.scaler=target"],
]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Path) -> Any:
    """The runs that a command plans."""

    def plan(words: list[str]) -> list[PlannedRun]:
        plans: list[list[PlannedRun]] = []

        def stop(_: object, made: list[PlannedRun], *__: object) -> None:
            plans.append(made)
            raise typer.Exit

        monkeypatch.setattr(bench.cli.run, "show_plan", stop)
        words = [str(tiny) if word == "DIR" else word for word in words]
        result = CliRunner().invoke(app, [*words, "--results", str(tmp_path), "--dry-run"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return plans[0]

    return plan


@pytest.mark.parametrize("words", PLANS)
def test_the_command_of_a_run_plans_that_run_alone(words: list[str], planned: Any) -> None:
    first = planned(["run", "--dataset", "tiny", *words, "--data-dir", "DIR", "--device", "cpu"])[0]
    made = msgspec.structs.replace(record(), run_id=first.run_id, spec=first.spec, label=first.label)
    program, *again = shlex.split(command_of(made))
    assert program == "stbench"
    assert [run.run_id for run in planned(again)] == [first.run_id]


def test_the_command_of_a_run_of_a_file_of_ones_own_has_a_place_for_that_file(
    planned: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(model_text("return repeated(window.history[:, -1:], window) + self.level"), encoding="utf-8")
    monkeypatch.setenv(VARIABLE, "")
    first = planned(["run", "--dataset", "tiny", "--model", str(file), "--data-dir", "DIR", "--device", "cpu"])[0]
    made = msgspec.structs.replace(record(), run_id=first.run_id, spec=first.spec, label=first.label)
    place, program, *again = shlex.split(command_of(made, own=True))
    assert (place, program) == (f"{VARIABLE}=FILE", "stbench")
    monkeypatch.setenv(VARIABLE, str(file))
    assert [run.run_id for run in planned(again)] == [first.run_id]


def test_the_command_of_a_run_that_reads_weights_has_a_place_for_their_folder() -> None:
    assert "--weights-dir WEIGHTS" in command_of(record(model="stvfm", weights_sha256="0" * 64))
    assert "--weights-dir" not in command_of(record(model="stvfm"))


def test_forecasts_that_were_made_elsewhere_have_no_command() -> None:
    assert command_of(record(external=True)) == command_of(record(external=True), own=True) == ""
