"""What of a table is shown: metrics, side by side or not, columns and rows."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from records import in_cities, record, results_of

from bench.analysis.choice import AS_IT_IS, Choice
from bench.analysis.formats.latex import latex
from bench.analysis.results import Results
from bench.analysis.table import TableFile
from bench.errors import ConfigError, UnknownNameError
from bench.records.channels import Channel
from bench.records.inputs import Inputs
from bench.runs.suite import load_suite

TITLES = True


def results() -> Results:
    """Three methods on two data sets."""
    made: list[Any] = [
        record(dataset, model, mae=mae * scale)
        for dataset, scale in (("bikenyc", 1.0), ("taxibj", 10.0))
        for model, mae in (("last_value", 4.0), ("stid", 2.0), ("ridge", 5.0))
    ]
    return results_of(made)


def names(headers: Any) -> list[str]:
    return [header.whole for header in headers]


def test_chosen_metrics_are_the_grids_in_their_order() -> None:
    assert [table.key for table in results().table("short_term").tables] == ["mae", "rmse"]
    assert [table.key for table in results().table("short_term", metrics=["wape", "mae"]).tables] == ["wape", "mae"]


def test_metrics_stand_side_by_side_below_each_data_set() -> None:
    (table,) = results().table("short_term", metrics=["mae", "scaled_mae"], beside=True).tables
    assert table.corner == "MAE and scaled MAE"
    assert names(table.columns) == ["BikeNYC: MAE", "BikeNYC: Scaled MAE", "TaxiBJ: MAE", "TaxiBJ: Scaled MAE"]
    rows = dict(zip(names(table.rows), [[cell.value for cell in row] for row in table.cells], strict=True))
    assert rows["STID"] == ["2.00", "0.500", "20.00", "0.500"]
    text = latex("short_term", results().table("short_term", metrics=["mae", "rmse"], beside=True))
    assert r" & \multicolumn{2}{c}{BikeNYC} & \multicolumn{2}{c}{TaxiBJ} \\" in text
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}" in text


@pytest.mark.parametrize("wanted", [["TaxiBJ", "BikeNYC"], ["taxibj", "bikenyc"], ["TAXIBJ", "bikenyc", "BikeNYC"]])
def test_columns_are_chosen_by_either_name_and_stand_as_they_were_asked_for(wanted: list[str]) -> None:
    for table in results().table("short_term", columns=wanted, beside=True).tables:
        assert names(table.columns) == ["TaxiBJ: MAE", "TaxiBJ: RMSE", "BikeNYC: MAE", "BikeNYC: RMSE"]
        assert [len(row) for row in table.cells] == [4, 4, 4]


def test_one_metric_of_columns_side_by_side_can_be_chosen() -> None:
    (table,) = results().table("short_term", columns=["TaxiBJ: RMSE", "bikenyc"], beside=True).tables
    assert names(table.columns)[0] == "TaxiBJ: RMSE"


def test_a_name_is_enough_whether_methods_run_across_the_page_or_down() -> None:
    for beside in (False, True):  # the data sets are rows, or columns
        data = "rows" if not beside else "columns"
        for choice in ({"columns": ["TaxiBJ"], "rows": ["STID"]}, {"columns": ["stid"], "rows": ["taxibj"]}):
            for table in results().table("short_term", beside=beside, **choice).tables:
                sides = {"rows": table.rows, "columns": table.columns}
                assert {header.over or header.name for header in sides.pop(data)} == {"TaxiBJ"}
                assert [names(headers) for headers in sides.values()] == [["STID"]]
    (mae, _) = results().table("short_term", columns=["TaxiBJ", "STID", "BikeNYC"]).tables
    assert (names(mae.columns), names(mae.rows)) == (["STID"], ["TaxiBJ", "BikeNYC"])


def test_a_grid_that_has_none_of_what_was_asked_for_is_left_out_wherever_its_methods_stand() -> None:
    bikes, cars = (results().table("short_term", rows=[name]).tables[0] for name in ("BikeNYC", "TaxiBJ"))
    choice = Choice(columns=("BikeNYC",), rows=("STID",))
    (left,) = choice.of("short_term", TableFile(title="", tables=(cars, bikes))).tables
    assert (names(left.columns), names(left.rows)) == (["STID"], ["BikeNYC"])
    assert choice.of("short_term", TableFile(title="", tables=())).tables == ()


def test_rows_are_chosen_and_the_csv_stays_whole() -> None:
    file = results().table("per_horizon", rows=["stid"], columns=["step 6", "step 1"], metrics=["rmse"])
    assert {table.key for table in file.tables} == {"rmse"}
    assert all(names(table.rows) == ["STID"] for table in file.tables)
    assert all(names(table.columns) == ["step 6", "step 1"] for table in file.tables)
    assert set(file.csv[""]["method"]) == {"last_value", "ridge", "stid"}


def test_what_is_not_there_is_named_with_what_is() -> None:
    with pytest.raises(UnknownNameError, match="BikeNYC"):
        results().table("short_term", columns=["BikeNYC", "BikeNY"], beside=True)
    with pytest.raises(UnknownNameError, match=r"no column or row of short_term named 'stidd'; .* 'stid'\? .*BikeNYC"):
        results().table("short_term", rows=["stidd"])
    with pytest.raises(UnknownNameError, match="scaled_mae"):
        results().table("short_term", metrics=["scaled_ma"])
    with pytest.raises(ConfigError, match="no metric named 'MASE'; scaled_mae is like it"):
        results().table("short_term", metrics=["MASE"])
    with pytest.raises(ConfigError, match="efficiency has no metrics"):
        results().table("efficiency", metrics=["mae"])
    with pytest.raises(ConfigError, match="not scaled_mae; a suite's table has it"):
        results().table("per_horizon", metrics=["scaled_mae"])
    with pytest.raises(ConfigError, match="a grid for each metric, not side by side; a suite's table has them so"):
        results().table("per_horizon", beside=True)


@pytest.mark.parametrize("ask", [Results.table, Results.plot, lambda _, name: load_suite(name)])
def test_the_bare_name_of_a_suite_of_one_s_own_is_answered_with_how_it_is_named(ask: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"; a suite of your own is named by the path of its TOML file$"):
        ask(results(), "mysuite")


def test_nothing_chosen_is_the_table_as_it_is() -> None:
    assert Choice() == AS_IT_IS
    assert str(results().table("short_term")) == str(results().chosen_table("short_term", AS_IT_IS))


def notes(file: TableFile, key: str = "mae") -> str:
    return " ".join(next(table for table in file.tables if table.key == key).notes)


def in_two_units() -> Results:
    """As above, each data set with a unit and steps of its own."""
    made = []
    for run in results().records:
        unit, interval = ("bikes", 30) if run.dataset == "bikenyc" else ("taxis", 60)
        channels = [Channel(name="all", unit=unit)]
        reads = Inputs(calendar=True, days_back=(), place=False) if run.model == "stid" else None
        label = structs.replace(run.label, interval=interval)
        made.append(structs.replace(run, channels=channels, label=label, inputs=reads))
    return results_of(made)


def test_notes_tell_of_the_data_sets_and_rows_that_are_shown_alone() -> None:
    whole = notes(in_two_units().table("short_term"))
    assert "MAE and RMSE in bikes (BikeNYC), taxis (TaxiBJ). A step is 30 min (BikeNYC), 1 h (TaxiBJ)." in whole
    assert "Naive baselines in italics" in whole
    assert "(Last value, Ridge)" in whole
    assert "Best in bold" in whole
    chosen = notes(in_two_units().table("short_term", columns=["taxibj"], rows=["STID"]))
    assert "MAE and RMSE in taxis. A step is 1 h." in chosen
    for absent in ("BikeNYC", "bikes", "Ridge", "Last value", "Naive baselines", "Best in bold"):
        assert absent not in chosen
    assert "calendar (STID)" in chosen
    assert "Best of all 3 methods, shown here or not, in bold" in chosen
    data_set = notes(in_two_units().table("short_term", rows=["taxibj"]))
    assert "Best in bold" in data_set  # all methods are there


def test_notes_of_metrics_side_by_side_tell_of_those_that_are_shown() -> None:
    shown = notes(in_two_units().table("short_term", columns=["TaxiBJ: RMSE"], beside=True), "mae-rmse")
    assert "RMSE in taxis. A step is 1 h." in shown
    assert "MAE" not in shown
    by = notes(
        in_two_units().table("short_term", metrics=["scaled_mae"], columns=["taxibj"], rows=["stid"]), "scaled_mae"
    )
    assert "same test windows (TaxiBJ: Last value)." in by  # which is divided by, though it is not shown


def test_a_data_set_whose_shown_cells_are_all_missing_is_told_of_all_the_same() -> None:
    runs = [run for run in in_two_units().records if (run.dataset, run.model) != ("taxibj", "stid")]
    pre_trained = record("bikenyc", "stvfm", weights="pretrained")

    def chosen(**choice: Any) -> str:
        table = results_of([*runs, pre_trained]).table(
            "short_term", metrics=["mae", "scaled_mae"], beside=True, **choice
        )
        return notes(table, "mae-scaled_mae")

    said = chosen(columns=["taxibj"], rows=["stid"])
    assert "MAE in taxis. A step is 1 h." in said
    assert "same test windows (TaxiBJ: Last value)." in said
    assert "BikeNYC" not in said
    assert "Best in bold" in chosen(columns=["taxibj"])  # where all methods are shown
    assert "Naive baselines in italics" not in said
    assert "Naive baselines in italics" in chosen(rows=["Last value"])


def test_notes_of_other_tables_tell_of_the_rows_that_are_shown_too() -> None:
    assert "Ridge" in notes(in_two_units().table("per_horizon"))
    assert "Ridge" not in notes(in_two_units().table("per_horizon", rows=["STID"]))


def test_what_ranked_models_read_is_told_of_those_that_are_shown() -> None:
    read = Inputs(calendar=True, days_back=(), place=False)
    ranked = results_of([structs.replace(run, inputs=read) for run in in_cities()])
    assert "calendar (even, good, level, poor)." in notes(ranked.table("ranks"), "ranks")
    assert "calendar (good)." in notes(ranked.table("ranks", rows=["good"]), "ranks")


def test_what_is_said_of_comparisons_is_of_the_data_sets_that_are_shown() -> None:
    short = [record(model=name, seed=seed) for name in ("stid", "stvfm") for seed in range(3)]
    few = [structs.replace(run, label=structs.replace(run.label, interval=30 * 24 * 60)) for run in short]
    other = [record("taxibj", name, seed=seed) for name in ("stid", "stvfm") for seed in range(3)]
    file = results_of([*few, *other]).table("short_term")
    assert "a week or a month (BikeNYC)" in notes(file, "difference")
    chosen = results_of([*few, *other]).table("short_term", columns=["taxibj"])
    assert "a week or a month" not in notes(chosen, "difference")
