"""What a plan prints when it ends: few methods as a grid, many as a leaderboard that fits a terminal."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from records import in_cities, record
from rich.console import Console

from bench.cli.leaderboard import leaderboards_with, outcome_of
from bench.records.planned import PlannedRun
from bench.records.store import ResultStore
from bench.runs.suite import load_suite

MANY = {f"a_model_with_a_rather_long_name_{number:02d}": 1 + number / 7 for number in range(16)}


def shown(records: list[Any], results: Path, width: int = 80) -> list[str]:
    """The lines in a pipe of this width, after these runs and one that has no record."""
    store = ResultStore(results)
    for made in records:
        store.write(made)
    missing = record("city0", "last_value", seed=9, profile="quick")
    plan = [
        PlannedRun(spec=made.spec, code=made.code, method=made.model, label=made.label) for made in [*records, missing]
    ]
    screen = Console(file=io.StringIO(), width=width)
    screen.print(outcome_of(plan, load_suite("short_term"), results))
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue().splitlines()


def test_many_methods_are_a_leaderboard_of_one_line_each_at_80_columns(tmp_path: Path) -> None:
    made = in_cities(10, MANY, profile="quick", synthetic=True)
    made += [
        record(f"city{city}", "stvfm", weights="random", mae=50, profile="quick", synthetic=True) for city in range(10)
    ]
    lines = shown(made, tmp_path)
    assert max(map(len, lines)) <= 80
    assert "Leaderboard: task short, profile quick" in lines[0]
    places = [line.split() for line in lines if line.split()[:1] and line.split()[0].isdecimal()]
    assert [int(place[0]) for place in places] == [*range(1, 19)]
    assert places[0][1] == "a_model_with_a_rather_long_name_00"
    assert places[-1][1:3] == ["ST-VFM", "‡"]
    assert any("Historical average (naive)" in line for line in lines)
    text = " ".join(" ".join(lines).split())
    assert "10 synthetic †" in text
    assert "‡ random instead of pre-trained weights." in text


@pytest.mark.parametrize("datasets", [1, 10])
def test_few_methods_are_a_grid_of_their_errors(datasets: int, tmp_path: Path) -> None:
    lines = shown(in_cities(datasets, profile="quick"), tmp_path)
    assert max(map(len, lines)) <= 80
    assert "test MAE" in lines[0]
    assert sum("city" in line for line in lines) == datasets


def test_what_is_not_ranked_has_no_number_and_moves_no_other(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    mine = record("city0", "mine", mae=0.5, external=True)
    for made in (mine, record("city0", "stid", mae=1.0), record("city0", "dlinear", mae=2.0)):
        store.write(made)
    screen = Console(file=io.StringIO(), width=80)
    screen.print(leaderboards_with(tmp_path, mine))
    assert isinstance(screen.file, io.StringIO)
    lines = [line.split()[:2] for line in screen.file.getvalue().splitlines()]
    assert [line for line in lines if line[:1] in (["—"], ["1"], ["2"], ["3"])] == [
        ["—", "mine"],
        ["1", "STID"],
        ["2", "DLinear"],
    ]
