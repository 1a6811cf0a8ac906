"""The scaled MAE: the error in units of the best naive baseline's on the same data."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import pytest
from msgspec.structs import replace
from records import record, results_of

from bench.records.channels import Channel

ERRORS = {("last_value", 0): 4.0, ("window_mean", 0): 3.0, ("stid", 0): 1.5, ("stid", 1): 2.5, ("ridge", 0): 6.0}


def csv(records):
    rows = results_of(records).table("short_term").csv[""].query("metric == 'scaled_mae'")
    return {(row.dataset, row.channel, row.method): (row.mean, row.std) for row in rows.itertuples()}


def test_it_is_the_error_of_every_seed_divided_by_that_of_the_best_naive_baseline():
    made = [record(model=model, seed=seed, mae=mae) for (model, seed), mae in ERRORS.items()]
    found = csv([*made, record("taxibj", "last_value", mae=0.5), record("taxibj", "stid", mae=1.0)])
    scaled = [1.5 / 3.0, 2.5 / 3.0]
    assert found["bikenyc", "", "stid"] == (pytest.approx(fmean(scaled)), pytest.approx(stdev(scaled)))
    means = {key[::2]: mean for key, (mean, _) in found.items()}
    assert means["bikenyc", "window_mean"] == 1.0
    assert means["bikenyc", "last_value"] == pytest.approx(4 / 3)
    assert means["bikenyc", "ridge"] == pytest.approx(2.0)
    assert means["taxibj", "stid"] == pytest.approx(2.0)


def test_without_a_naive_baseline_or_with_one_that_never_errs_there_is_none():
    assert math.isnan(csv([record()])["bikenyc", "", "stid"][0])
    assert math.isnan(csv([record(), record(model="last_value", mae=0.0)])["bikenyc", "", "stid"][0])


def test_it_is_one_less_the_skill_that_is_ranked():
    from bench.analysis.leaderboard import leaderboard
    from bench.runs.suite import load_suite

    made = results_of([record(model="last_value", mae=4.0), record(mae=1.0)], suites=[load_suite("short_term")])
    (group,) = made.plain_groups().values()
    skills = {
        row.name: cells[1].value for row, cells in zip(leaderboard(group).rows, leaderboard(group).cells, strict=True)
    }
    assert skills == {"stid": "75.0", "last_value": "0.0"}
    assert csv([record(model="last_value", mae=4.0), record(mae=1.0)])["bikenyc", "", "stid"][0] == 0.25


def test_channels_of_different_units_are_scaled_each_by_its_own():
    channels = [Channel(name="flow", unit="cars"), Channel(name="speed", unit="km/h")]
    made = [
        replace(record(model=name, mae=mae), channels=channels) for name, mae in (("stid", 1.0), ("last_value", 2.0))
    ]
    found = csv(made)
    assert {channel for _, channel, _ in found} == {"flow, cars", "speed, km/h"}
    assert all(mean == pytest.approx(0.5 if method == "stid" else 1.0) for (*_, method), (mean, _) in found.items())


def test_a_note_says_which_baseline_it_was_and_only_where_it_is_shown():
    made = [record(model=model, seed=seed, mae=mae) for (model, seed), mae in ERRORS.items()]
    table = results_of(made).table("short_term", metrics=["scaled_mae"]).tables[0]
    assert "best naive baseline on the same test windows (bikenyc: window_mean)." in " ".join(table.notes)
    assert "Scaled" not in str(results_of(made).table("short_term"))


def test_it_has_three_decimals_on_every_data_set_and_a_mark_where_the_mae_has_one():
    errors = {"bikenyc": {"last_value": 4.0, "stid": 5.0}, "taxibj": {"last_value": 4.0, "stid": 3.0}}
    made = [record(data, model, mae=mae, rmse=1.0) for data, models in errors.items() for model, mae in models.items()]
    table = results_of(made).table("short_term", metrics=["mae", "scaled_mae"]).tables[1]
    cells = {
        row.name: [(cell.value, cell.flags) for cell in line] for row, line in zip(table.rows, table.cells, strict=True)
    }
    assert cells == {
        "bikenyc": [("1.000", ()), ("1.250", ("below_naive",))],
        "taxibj": [("1.000", ()), ("0.750", ())],
    }
    rows = results_of(made).table("short_term").csv[""].query("model == 'stid' and dataset == 'bikenyc'")
    flags = dict(zip(rows["metric"], rows["flags"], strict=True))
    assert flags["scaled_mae"] == flags["mae"] == "below_naive"
