"""The leaderboard at the end of a command: everyone takes part, the best first, and nothing is claimed."""

from __future__ import annotations

from typing import Any

from records import in_cities, record, results_of, suite

from bench.analysis.leaderboard import leaderboard
from bench.analysis.table import MINUS, Table
from bench.runs.suite import load_suite


def board(records: list[Any]) -> Table:
    (group,) = results_of(records).groups(load_suite("short_term")).values()
    made = leaderboard(group)
    assert made is not None
    return made


def rows(table: Table) -> list[tuple[str, ...]]:
    return [(row.text, *(cell.value for cell in cells)) for row, cells in zip(table.rows, table.cells, strict=True)]


def test_methods_are_ranked_over_data_sets_with_naive_baselines_among_them() -> None:
    made = in_cities(4, {"good": 1.0, "even": 1.2, "level": 1.2, "poor": 2.5}, profile="quick", synthetic=True)
    table = board(made)
    assert rows(table) == [
        ("good", "1.00", "50.0", "2.0"),
        ("even", "2.50", "40.0", "2.0"),
        ("level", "2.50", "40.0", "2.0"),
        ("historical_average", "4.00", "0.0", "2.0"),
        ("poor", "5.00", f"{MINUS}25.0", "2.0"),
    ]
    assert [row.naive for row in table.rows] == [False, False, False, True, False]
    assert "By average rank in MAE on 4 data sets (4 synthetic †)." in table.notes
    assert "Quick profile: ranks mean nothing." in table.notes


def test_on_a_single_data_set_the_error_stands_in_place_of_the_rank() -> None:
    table = board([one for one in suite() if one.dataset == "bikenyc"])
    assert table.columns[0].name == "MAE"
    assert [row[:2] for row in rows(table)] == [
        ("model_00", "1.51"),
        ("model_01", "2.51"),
        ("model_02", "3.51"),
        ("last_value", "4.00"),
        ("window_mean", "5.00"),
        ("stvfm ‡", "9.00"),
    ]
    assert "By unrounded MAE on bikenyc, means over 3 seeds." in table.notes
    assert "Quick profile: ranks mean nothing." not in table.notes


def test_who_has_gaps_is_left_out_with_the_reason() -> None:
    (left_out,) = (note for note in board(suite()).notes if note.startswith("Left out"))
    assert "stvfm (current runs on 1 of 3 data sets)" in left_out
    assert "synthetic" not in left_out


def test_without_a_finished_run_there_is_none() -> None:
    (group,) = results_of([record(failed=True)]).groups(load_suite("short_term")).values()
    assert leaderboard(group) is None


def test_what_prints_alike_stands_by_its_error_and_not_by_its_name() -> None:
    table = board([record(model="a", mae=1.2187), record(model="b", mae=1.2170)])
    assert [row[:2] for row in rows(table)] == [("b", "1.22"), ("a", "1.22")]
