"""Each table says what its rows read, from their records."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from records import NAIVE, record, results_of
from variants import controls

from bench.analysis.formats.markdown import markdown
from bench.clock import MONTH
from bench.records.inputs import Inputs
from bench.runs.suite import load_suite

SHORT = load_suite("short_term")
NOTHING = Inputs(calendar=False, days_back=(), place=False)
CALENDAR = Inputs(calendar=True, days_back=(), place=True)
DAYS = Inputs(calendar=False, days_back=(1,), place=False)


def reading(inputs, **facts):
    return replace(record(**facts), inputs=inputs)


def text(records, name="short_term"):
    return markdown(results_of(records, suites=[SHORT]).table(name))


@pytest.mark.parametrize("name", ["short_term", "per_horizon"])
def test_rows_that_read_the_same_are_named_together(name):
    records = [reading(CALENDAR, model="stid"), reading(CALENDAR, model="ridge"), reading(NOTHING, model=NAIVE[0])]
    wanted = "Read beside the 6 steps of history: calendar, place (ridge, stid); nothing (last_value)."
    assert wanted in text(records, name)


def test_runs_that_read_different_things_and_earlier_ones_are_said_to():
    records = [reading(DAYS), reading(NOTHING, dataset="taxibj"), record(model="ridge")]
    assert "days before (1) or nothing (stid); not recorded (ridge)." in text(records)


def test_where_a_step_is_a_month_the_days_before_are_years():
    run = reading(DAYS)
    assert "years before (1) (stid)." in text([replace(run, label=replace(run.label, interval=MONTH))])


def test_a_row_whose_name_has_a_comma_is_quoted():
    suite = load_suite("controls")
    records = [replace(run, inputs=CALENDAR) for run in controls("pretrained")]
    page = markdown(results_of(records, suites=[suite]).table("controls"))
    assert "place (last_value, “pre-trained, frozen”, shuffled tokens, no backbone, one trained block)" in page


def test_nothing_is_said_where_no_record_says_it():
    assert "Read beside" not in text([record()])


def test_ranks_say_what_was_read():
    records = [
        reading(CALENDAR, dataset=f"city{city}", model=model, mae=mae)
        for city in range(8)
        for model, mae in (("a", 1.0), ("b", 2.0), ("c", 3.0))
    ]
    assert "Read beside the 6 steps of history: calendar, place (a, b, c)." in text(records, "ranks")


def test_the_csv_of_a_suite_has_what_each_row_read():
    frame = results_of([reading(CALENDAR), record(model="ridge")], suites=[SHORT]).table("short_term").csv[""]
    assert dict(zip(frame["method"], frame["inputs"], strict=True)) == {
        "stid": "calendar, place",
        "ridge": "not recorded",
    }
