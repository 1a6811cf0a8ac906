"""What tables and report say of a small budget: windows that were left out, and few steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from records import record, results_of
from variants import controls

from bench.analysis.budget import budget_note
from bench.analysis.first_screen import first_screen
from bench.analysis.report.facts import datasets
from bench.analysis.report.headline import headline
from bench.runs.suite import load_suite

SHORT = load_suite("short_term")


def few(dataset: str = "bikenyc", model: str = "stid", there: int = 1316, **train: Any) -> Any:
    """A run of the quick profile that was scored on 32 windows."""
    made = record(dataset, model, profile="quick", scored=32, epochs=1)
    spec = structs.replace(made.spec, train=replace(made.spec.train, **{"steps_per_epoch": 5, "batch_size": 8} | train))
    counts = structs.replace(made.counts, val=32, test=32, val_there=there, test_there=there)
    return structs.replace(made, spec=spec, counts=counts)


def note(*records: Any) -> str:
    (group,) = results_of(records).groups(SHORT).values()
    return budget_note(group)


def test_windows_that_were_left_out_and_few_steps_are_said_in_one_sentence() -> None:
    assert note(few()) == "Budget: 32 of 1,316 test windows scored, 5 training steps."
    assert note(few(), few("taxibj", there=3364)).startswith("Budget: 32 of 1,316 to 3,364 test windows scored")
    made = few()
    (table,) = {table.notes for table in results_of([made]).table("short_term").tables}
    assert note(made) in table
    assert "at most 32 windows of a split scored" in results_of([made]).table("short_term").tables[0].heading


def test_more_steps_than_an_epoch_has_are_not_counted_and_early_stopping_is_said() -> None:
    assert note(few(steps_per_epoch=1000)).endswith("250 training steps.")
    assert note(few(epochs=30, patience=5)).endswith("at most 150 training steps.")


def test_nothing_is_said_where_all_is_scored_and_training_is_whole() -> None:
    assert note(record()) == ""
    assert note(record(model="last_value", epochs=0)) == ""


def test_a_naive_baseline_of_all_windows_is_no_row_beside_models_of_few() -> None:
    own, whole = few(model="last_value"), record(model="last_value", mae=9.0)
    alone, beside = (
        {key.title: list(group.cells) for key, group in results_of(runs).groups(SHORT).items()}
        for runs in ([few(), own], [few(), own, whole])
    )
    assert alone.items() <= beside.items()
    assert len(beside) == 2


def test_numbers_of_few_windows_are_not_laid_beside_published_ones() -> None:
    suite = load_suite("published")
    kept = {"dataset": suite.datasets[0], "model": "historical_average", "protocol": "unist", "task": suite.tasks[0]}
    assert results_of([record(**kept)]).groups(suite)
    assert not results_of([record(**kept, scored=32)]).groups(suite)


@pytest.mark.parametrize(("there", "shown"), [(1316, "2000 / 32 of 1316 / 32 of 1316"), (0, "2000 / 32 / 32")])
def test_the_report_says_how_many_windows_were_left_out(there: int, shown: str) -> None:
    results = results_of([few(there=there)])
    assert shown in [cell.value for row in datasets(results.runs).cells for cell in row]
    cautions = headline(results, [SHORT])["cautions"]
    assert "Few windows of a split were scored, evenly spread, in 1 of 1 finished run." in cautions


def test_how_long_training_was_is_said_as_it_was_wherever_the_profile_says_something_of_it() -> None:
    def trained(made: Any) -> Any:
        train = replace(made.spec.train, epochs=3, steps_per_epoch=30)
        return structs.replace(made, spec=structs.replace(made.spec, train=train))

    made = results_of(map(trained, controls("pretrained", profile="reference")))
    true = "trained for 3 epochs of at most 30 steps; larger"
    of_tables = [note for table in made.table("controls").tables for note in table.notes if "Reference profile" in note]
    (figure,) = made.plot("answer")
    of_report = [text for text in headline(made, made.suites)["cautions"] if "Reference profile" in text]
    assert len(of_report) == 1 < len(of_tables)
    for text in (*of_tables, *of_report, " ".join(figure.get_supxlabel().split()), first_screen(made, "results")):
        assert true in " ".join(text.split())
