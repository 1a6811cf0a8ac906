"""Data sets whose channels differ in unit: told channel by channel, never pooled, never ranked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from records import in_cities, record, results_of, with_idle_cells
from variants import controls, variant

from bench.analysis.figures._files import figures_of
from bench.analysis.results import Results, artefacts
from bench.records.channels import Channel
from bench.records.record import DoneRun
from bench.runs.suite import load_suite

FLOW, SPEED = Channel(name="flow", unit="veh"), Channel(name="speed", unit="km/h")


def mixed(run: DoneRun) -> DoneRun:
    """The run as one of a data set of flow and speed would be: without any score over both."""
    apart = {
        split: {name: replace(s, overall=None, per_step=[None] * len(s.per_step)) for name, s in scores.items()}
        for split, scores in run.scores.items()
    }
    return replace(run, scores=apart, channels=[FLOW, SPEED])


def highway() -> list[DoneRun]:
    """Two models and a naive baseline on such a data set; speed is 11/9 of flow in all errors."""
    errors = {"stid": 2.0, "dlinear": 6.0, "last_value": 4.0}
    return [mixed(record("highway", model, mae=mae, seed=seed)) for model, mae in errors.items() for seed in range(3)]


def table(results: Results, name: str) -> str:
    return str(results.table(name))


def test_the_table_of_a_suite_has_a_row_for_each_channel_with_its_unit() -> None:
    text = table(results_of(highway()), "short_term")
    assert "| highway: flow, veh | <u>3.60</u> | 5.40 ± 0.00 ▼ | **1.80 ± 0.00** |" in text
    assert "| highway: speed, km/h | <u>4.40</u> | 6.60 ± 0.00 ▼ | **2.20 ± 0.00** |" in text
    assert "| highway |" not in text
    assert "none is pooled over them" in text
    assert "none is pooled over them" not in table(results_of([record()]), "short_term")


def test_the_csv_names_the_channel_and_has_no_number_over_channels() -> None:
    frame = results_of([*highway(), record("bikenyc")]).table("short_term").csv[""]
    frame = frame[frame["metric"] == "mae"].set_index(["dataset", "channel", "model"])["mean"]
    assert frame["highway", "flow, veh", "stid"] == pytest.approx(1.8)
    assert frame["highway", "speed, km/h", "stid"] == pytest.approx(2.2)
    assert frame["bikenyc", "", "stid"] == 1.25
    assert ("highway", "", "stid") not in frame.index


def test_a_failure_stands_at_every_channel() -> None:
    failed = record("highway", "convlstm", failed=True)
    assert table(results_of([*highway(), failed]), "short_term").count("✗ |") == 4  # two channels, two metrics


def test_no_ranking_counts_it_and_its_absence_is_said() -> None:
    cities = in_cities(6)
    without = results_of(cities).table("ranks")
    models = ("good", "even", "level", "poor", "historical_average")
    here = results_of([*cities, *(mixed(record("highway", model, mae=2.0)) for model in models)]).table("ranks")
    assert here.csv[""].equals(without.csv[""])
    assert "Left out: highway (channels differ in unit)." in str(here)


@pytest.mark.parametrize("name", ["per_horizon", "efficiency"])
def test_tables_of_one_error_leave_it_out(name: str) -> None:
    text = table(results_of([*highway(), record("bikenyc")]), name)
    assert "bikenyc" in text
    assert ("highway" in text) == (name == "efficiency")  # which is about costs


@pytest.mark.parametrize("name", artefacts("figures"))
def test_every_figure_can_be_drawn_with_it_and_of_it_alone(name: str) -> None:
    for records in (highway(), [*highway(), record("bikenyc"), record("bikenyc", "last_value")]):
        figures_of(results_of(records), name)


def test_comparisons_are_those_of_its_window_errors() -> None:
    suite, runs = load_suite("controls"), controls()
    wanted, found = (results_of(given).differences(suite) for given in (runs, [mixed(run) for run in runs]))
    assert found == wanted
    assert found


def test_a_run_tells_the_scores_of_each_channel() -> None:
    text = str(highway()[0])
    assert "flow, veh: MAE 1.8, RMSE 5.4; speed, km/h: MAE 2.2, RMSE 6.6 on test" in text
    assert "—" not in text


def test_the_frame_has_no_pooled_score() -> None:
    frame = results_of(highway()).frame
    assert frame["test_mae"].isna().all()


def test_channels_of_one_unit_are_pooled_as_before() -> None:
    run = replace(record(), channels=[FLOW, replace(FLOW, name="out")])
    said = table(results_of([run]), "short_term")
    assert f"MAE and RMSE in {FLOW.unit}. " in said
    told = said.replace(f"MAE and RMSE in {FLOW.unit}. ", "").replace(f"E, {FLOW.unit}**", "E**")
    assert told == table(results_of([record()]), "short_term")


def test_the_table_of_other_measures_leaves_out_what_has_no_error_over_its_channels_and_says_so() -> None:
    plain = controls("pretrained", profile="reference")
    apart = [
        mixed(variant(1.0 + seed, name, seed=seed, weights=weights, profile="reference", dataset="highway"))
        for seed in range(3)
        for name, weights in (("none", "pretrained"), ("identity", "none"))
    ]
    runs = [*plain, *apart]
    (shown,) = [one for one in results_of(runs).table("controls").tables if one.key == "measures"]
    assert [header.text for header in shown.columns] == ["bikenyc"]
    assert shown.notes[-1] == "Left out, as channels differ in unit: highway."
    (shown,) = [one for one in results_of(plain).table("controls").tables if one.key == "measures"]
    assert "Left out" not in " ".join(shown.notes)


def test_the_table_without_idle_cells_leaves_out_what_has_no_error_over_its_channels() -> None:
    runs = controls("pretrained", profile="reference")
    there = [with_idle_cells(run, share=0.1) for run in runs]
    apart = [
        mixed(with_idle_cells(run, share=0.1)) for run in controls("pretrained", dataset="highway", profile="reference")
    ]
    (shown,) = [one for one in results_of([*there, *apart]).table("controls").tables if one.key == "in-use"]
    assert [header.text for header in shown.columns] == ["bikenyc"]
    assert not [one for one in results_of(apart).table("controls").tables if one.key == "in-use"]
