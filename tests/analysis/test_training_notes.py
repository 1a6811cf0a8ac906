"""Tables say whether longer training may help, and which runs lost their way in training."""

from __future__ import annotations

import pytest
from msgspec import structs
from records import record, results_of, trained_on
from variants import variant

from bench.analysis.training import MOST_RISE, training_notes
from bench.records.channels import Channel
from bench.records.record import Epoch
from bench.runs.suite import load_suites


def trained(run, *epochs):
    """The run with a curve of these pairs: loss in training, validation error. Scored is the first best epoch."""
    curve = [
        Epoch(epoch=number, train_loss=loss, val_mae=error, lr=0.002)
        for number, (loss, error) in enumerate(epochs, start=1)
    ]
    best = min(curve, key=lambda epoch: epoch.val_mae).epoch
    return structs.replace(run, curve=curve, audit=structs.replace(run.audit, best_epoch=best))


def run(*epochs, **facts):
    return trained(record(**facts), *epochs)


def notes(*runs, suite="short_term"):
    (chosen,) = load_suites([suite])
    (group,) = results_of(runs).groups(chosen).values()
    return [*training_notes(group)]


LAST, SECOND, EQUAL = (
    [(1.0, 3.0), (0.9, 2.0), (0.8, 1.0)],
    [(1.0, 3.0), (0.9, 1.0), (0.8, 2.0)],
    [(1.0, 3.0), (0.9, 1.0), (0.8, 1.0)],
)


def test_runs_that_are_scored_after_their_last_epoch_are_counted():
    runs = [run(*curve, seed=seed) for seed, curve in enumerate([LAST, SECOND, EQUAL, LAST])]
    assert notes(*runs) == [
        "In 2 of 4 trained runs the validation error is lowest after the last epoch; whether more epochs would lower "
        "it is not known."
    ]


def test_where_none_is_nothing_is_said():
    assert notes(run(*SECOND), run(*EQUAL, seed=1)) == []


def test_with_sources_the_last_epoch_is_that_of_the_adaptation_to_the_target():
    made = trained_on(record(model="simvp", task="transfer1"), "taxinyc")
    other = trained(made, *[(0.1, error) for error in (0.1, 0.2, 0.3, 3.0, 2.0, 1.0)])
    adapted = structs.replace(other, audit=structs.replace(other.audit, best_epoch=6))
    assert [len(notes(each, suite="transfer")) for each in (other, adapted)] == [0, 1]


@pytest.mark.parametrize("facts", [{"model": "last_value"}, {"profile": "quick"}])
def test_of_what_is_not_trained_or_short_on_purpose_nothing_is_said(facts):
    assert notes(run(*LAST, **facts)) == []


def test_of_forecasts_made_elsewhere_nothing_is_said():
    assert notes(record(external=True)) == []


def test_a_single_epoch_tells_nothing():
    assert notes(run((1.0, 3.0))) == []


@pytest.mark.parametrize(("highest", "named"), [(MOST_RISE, False), (MOST_RISE + 0.01, True)])
def test_a_run_whose_loss_rises_by_more_than_half_is_named(highest, named):
    lost = trained(variant(1.0, "identity", seed=2), (1.0, 3.0), (highest, 1.0), (0.8, 2.0))
    told = notes(trained(variant(1.0, weights="pretrained"), *SECOND), lost, suite="controls")
    sentence = (
        "In 1 of 2 trained runs the loss in training rose to more than 1.5 times that of the first epoch, so the "
        "learning rate may be too high: “no backbone” on bikenyc (seed 2)."
    )
    assert told == ([sentence] if named else [])


def test_of_many_such_runs_some_are_named_and_all_are_counted():
    runs = [run((1.0, 3.0), (5.0, 1.0), (0.8, 2.0), seed=seed) for seed in range(6)]
    (told,) = notes(*runs)
    assert told.startswith("In 6 of 6 trained runs")
    assert told.endswith(
        "“stid” on bikenyc (seed 0), “stid” on bikenyc (seed 1), “stid” on bikenyc (seed 2) and 3 more."
    )


def test_data_sets_of_two_versions_are_told_apart():
    runs = [run((1.0, 3.0), (5.0, 1.0), (0.8, 2.0), sha256=letter * 64) for letter in "ab"]
    (told,) = notes(*runs)
    assert "(npz-1, aaaaaa) (seed 0)" in told
    assert "(npz-1, bbbbbb) (seed 0)" in told


def test_a_run_that_goes_on_with_other_data_is_not_measured_by_its_first_epoch():
    made = trained_on(record(model="simvp", task="transfer1"), "taxinyc")
    assert notes(trained(made, (1.0, 3.0), (0.9, 1.0), (5.0, 2.0)), suite="transfer") == []


def test_a_loss_that_was_zero_has_no_ratio():
    assert notes(run((0.0, 1.0), (0.1, 2.0))) == []


def test_a_run_that_stands_there_channel_by_channel_counts_once():
    units = [Channel(name="flow", unit="veh"), Channel(name="speed", unit="km/h")]
    whole = run(*LAST)
    scores = {name: structs.replace(score, overall=None) for name, score in whole.scores["test"].items()}
    apart = structs.replace(whole, scores={"test": scores, "val": scores}, channels=units)
    late, rose = notes(trained(apart, (1.0, 3.0), (5.0, 2.0), (0.8, 1.0)))
    assert late.startswith("In 1 of 1 trained run the")
    assert rose.endswith(": “stid” on bikenyc (seed 0).")


def test_both_sentences_stand_below_the_scores():
    runs = [run((1.0, 3.0), (5.0, 2.0), (0.8, 1.0))]
    table = results_of(runs).table("short_term").tables[0]
    assert [note for note in table.notes if note in notes(*runs)] == notes(*runs)
    assert len(notes(*runs)) == 2


def test_of_a_method_that_is_hidden_nothing_is_said():
    runs = [run((1.0, 3.0), (5.0, 2.0), (0.8, 1.0)), run(*SECOND, model="dlinear")]
    table = results_of(runs).table("short_term").tables[0]
    assert "“stid”" in " ".join(table.notes)
    left = " ".join(table.notes_without(frozenset({"stid"})))
    assert "the loss in training" not in left
    assert "lowest after the last epoch" not in left
