"""Readers see titles; files, folders and CSV keep the names of commands."""

from __future__ import annotations

from msgspec.structs import replace
from records import in_cities, record, results_of
from reports import words

from bench.analysis.figures._files import figures_of
from bench.analysis.report import page

TITLES = True


def mine(dataset, title="", **facts):
    made = record(dataset, **facts)
    return replace(made, label=replace(made.label, dataset_title=title, model_title="Mine", interval=15))


def test_tables_say_titles_and_csv_files_names():
    table = results_of([record(), record(model="last_value", mae=3.0)]).table("short_term")
    assert "| **MAE** | *Last value* | STID |" in str(table)
    assert "| BikeNYC |" in str(table)
    assert set(table.csv[""]["model"]) == {"stid", "last_value"}
    assert set(table.csv[""]["dataset"]) == {"bikenyc"}


def test_a_users_own_data_and_model_have_the_titles_of_their_records():
    table = results_of([mine("trams", "Trams of Oslo", model="mine_too")]).table("short_term").tables[0]
    assert [header.name for header in (*table.rows, *table.columns)] == ["Trams of Oslo", "Mine"]
    assert "A step is 15 min." in table.notes


def test_two_data_sets_of_one_title_are_told_apart_by_their_names():
    table = results_of([mine("trams", "Oslo"), mine("buses", "Oslo"), mine("boats")]).table("short_term").tables[0]
    assert [header.name for header in table.rows] == ["boats", "Oslo (buses)", "Oslo (trams)"]


def test_variants_keep_the_names_that_the_suite_gives_them():
    made = [record(model="stvfm", weights=weights) for weights in ("pretrained", "random")]
    made += [record(model="last_value")]
    names = [header.name for header in results_of(made).table("controls").tables[0].rows]
    assert names == ["Last value", "pre-trained, frozen", "random, frozen"]


def test_the_table_of_ranks_the_figures_and_the_report_say_titles():
    made = [
        record(f"city{city}", model, mae=1.2**city * mae)
        for city in range(6)
        for model, mae in (("stid", 1), ("ridge", 2))
    ]
    made += [record("taxibj", "stid"), record("taxibj", "ridge", mae=2.0), *in_cities(1)[:1]]
    results = results_of(made)
    assert [header.name for header in results.table("ranks").tables[0].rows] == ["STID", "Ridge"]
    assert "TaxiBJ" in " ".join(results.table("ranks").tables[0].notes)
    assert set(results.table("ranks").csv[""]["method"]) == {"stid", "ridge"}
    figure = figures_of(results, "seeds") or figures_of(results, "per_horizon")
    assert "TaxiBJ" in [axis.get_title() for axis in figure[0].axes]
    text = words(page.report(results, ()))
    assert "STID has the best average rank" in text
