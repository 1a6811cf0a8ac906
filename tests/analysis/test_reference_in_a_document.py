"""Reference results in a document: its marked part says what came of them, and of nothing else."""

from __future__ import annotations

import pytest
from records import record, results_of
from reference_runs import DATASETS, MODELS, SEEDS, reference_runs
from variants import variant

from bench.analysis.reference import FIRST, LAST, with_first_screen
from bench.errors import ConfigError

PLACE = f"# Title\n\n{FIRST}\n{LAST}\n\nThe rest.\n"


def test_a_document_says_nothing_without_results_and_is_brought_up_to_date():
    results = results_of(reference_runs())
    text = with_first_screen(PLACE, results, "results/reference")
    assert with_first_screen(text, results, "results/reference") == text
    assert text.startswith(f"# Title\n\n{FIRST}\n\n**Does the pre-trained vision model matter? Mixed: better in ")
    assert text.endswith(f"\n{LAST}\n\nThe rest.\n")
    assert "(results/reference/figures/answer-1.png)" in text
    assert with_first_screen(text, results_of([]), "results/reference") == PLACE


def further_data(dataset, **choices):
    """Runs of all that the leaderboard and the answer are about, on a data set that they have not."""
    shared = {"profile": "reference", **choices}
    leaders = [record(dataset, name, seed=seed, mae=1.0, **shared) for name in MODELS for seed in SEEDS]
    answers = [variant(1.0 + seed / 10, weights="pretrained", seed=seed, dataset=dataset, **shared) for seed in SEEDS]
    return [*leaders, *answers, *(variant(2.0, "identity", seed=seed, dataset=dataset, **shared) for seed in SEEDS)]


def further_model(model, **choices):
    """Better than all that the leaderboard has, on all of its data sets."""
    shared = {"profile": "reference", **choices}
    return [record(data, model, seed=seed, mae=0.1, **shared) for data in DATASETS for seed in SEEDS]


@pytest.mark.parametrize(
    "others",
    [
        further_data("crowd", synthetic=True),
        further_data("control_noise", synthetic=True),
        further_data("city1"),
        further_model("elsewhere", external=True),
        further_model("mine"),
    ],
    ids=[
        "synthetic",
        "planted and run by another suite",
        "data of one's own",
        "forecasts made elsewhere",
        "model of one's own",
    ],
)
def test_a_document_says_nothing_of_runs_that_would_not_have_been_taken(others):
    runs = reference_runs()
    text = with_first_screen(PLACE, results_of([*runs, *others]), "here")
    assert text == with_first_screen(PLACE, results_of(runs), "here")


def test_a_document_says_nothing_of_runs_of_earlier_code():
    runs, earlier = reference_runs(), further_model("unet")
    code = {(data, "unet"): "f" * 12 for data in DATASETS}
    assert "| unet |" in with_first_screen(PLACE, results_of([*runs, *earlier]), "here")
    text = with_first_screen(PLACE, results_of([*runs, *earlier], code), "here")
    assert text == with_first_screen(PLACE, results_of(runs), "here")


@pytest.mark.parametrize("text", ["", FIRST, f"{LAST}\n{FIRST}\n", PLACE + PLACE])
def test_a_document_without_one_place_for_results_is_refused(text):
    with pytest.raises(ConfigError, match="has no place for reference results"):
        with_first_screen(text, results_of([]), "results/reference")
