"""What a reader sees first: the answer, its figure and the leaderboard, and nothing where nothing is known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from msgspec import structs
from records import record, results_of
from reference_runs import CONTROLS, DATASETS, reference_runs
from variants import variant

from bench.analysis.answer import answer
from bench.analysis.first_screen import first_screen
from bench.analysis.report.headline import headline
from bench.analysis.table import MINUS
from bench.analysis.tables._differences import signed
from bench.records.inputs import Inputs
from bench.runs.suite import load_suite

TITLES = True
BETTER, SAME = (dict.fromkeys(CONTROLS, (mae,) * 3) for mae in (1.1, 1.0))


def screen(**choices):
    return " ".join(first_screen(results_of(reference_runs(**choices)), "here").split())


@pytest.mark.parametrize(
    ("random", "others", "spread", "said"),
    [
        (1.1, 1.1, 0.001, "Yes: better in 9 of 9 comparisons."),
        (1.0, 1.1, 0.001, "In part: better in 6, equivalent in 3 of 9 comparisons."),
        (1.1, 1.0, 0.01, "In part: better in 3, open in 6 of 9 comparisons."),
        (0.9, 1.1, 0.001, "Mixed: better in 6, worse in 3 of 9 comparisons."),
        (1.1, 0.9, 0.001, "Mixed: better in 3, worse in 6 of 9 comparisons."),
        (0.9, 0.9, 0.001, "No: worse in 9 of 9 comparisons."),
        (0.9, 1.0, 0.001, "No: worse in 3, equivalent in 6 of 9 comparisons."),
        (0.9, 1.0, 0.01, "Not shown: worse in 3, open in 6 of 9 comparisons."),
        (1.0, 1.0, 0.001, "No: equivalent in 9 of 9 comparisons."),
        (1.0, 1.0, 0.01, "Not shown: open in 9 of 9 comparisons."),
    ],
)
def test_the_answer_in_a_word_follows_from_the_verdicts(random, others, spread, said):
    maes = dict.fromkeys(CONTROLS, (others,) * 3) | {"random": (random,) * 3}
    text = screen(controls=maes, spread=spread)
    assert text.startswith(f"**Does the pre-trained vision model matter? {said}** With ")


def test_nothing_is_an_answer_where_no_difference_may_be_quoted():
    made = [
        structs.replace(run, spec=structs.replace(run.spec, data=replace(run.spec.data, synthetic=True)))
        for run in reference_runs(controls=BETTER)
    ]
    assert answer(results_of(made)) is None


def test_the_sentence_has_the_differences_their_intervals_and_the_verdicts():
    found = answer(results_of(reference_runs()))
    text = screen()
    differences = dict(found.of(found.methods[0]))
    assert [method.name for method in found.methods] == ["no backbone", "random, frozen", "one trained block"]
    assert [data.dataset for data in differences] == list(DATASETS)
    for difference in differences.values():
        low, high = map(signed, difference.interval)
        assert f"{signed(difference.percent)} % [{low}, {high}]" in text
    assert "+4.0 % [" in text
    assert "(pre-trained weights are better) on BikeNYC2" in text
    assert "(pre-trained weights are worse) on TaxiNYC" in text
    block = dict(found.of(found.methods[2]))
    lines = [f"{signed(d.percent)} % [{', '.join(map(signed, d.interval))}]" for d in block.values()]
    assert [line.split(" [")[0] for line in lines] == ["+10.0 %", "+2.0 %", f"{MINUS}10.0 %"]
    assert (
        f" With “one trained block”: {lines[0]} (pre-trained weights are better) on BikeNYC, {lines[1]} (pre-trained "
        f"weights are better) on BikeNYC2, {lines[2]} (pre-trained weights are worse) on TaxiNYC. Not run: " in text
    )
    assert " With “random, frozen”: " in text
    assert "longer training may change it" in text


def test_of_a_control_are_said_the_differences_that_were_found_and_then_those_that_were_not():
    text = screen(controls=SAME | {"random": (0.9, 1.0, 1.05)}, spread=0.01)
    assert re.search(
        r" With “random, frozen”: -9\.9 % \[-\S+, -\S+\] \(pre-trained weights are worse\) on BikeNYC, \+5\.0 % "
        r"\[\+\S+, \+\S+\] \(pre-trained weights are better\) on TaxiNYC; open: 0\.0 % on BikeNYC2\. With “one",
        text.replace(MINUS, "-"),
    )
    same = "0.0 % on BikeNYC, 0.0 % on BikeNYC2, 0.0 % on TaxiNYC"
    assert f" With “one trained block”: open: {same}." in text
    assert f" With “one trained block”: equivalent: {same}." in screen(controls=SAME, spread=0.001)


def test_what_was_compared_and_is_no_part_of_the_answer_is_named():
    scratch = [
        variant(0.5 + s / 1000, "scratch", weights="none", seed=s, profile="reference", dataset="bikenyc")
        for s in range(3)
    ]
    text = " ".join(first_screen(results_of([*reference_runs(controls=BETTER), *scratch]), "here").split())
    assert "Yes: better in 9 of 9 comparisons.** " in text
    counted = text.partition(" Not counted, with “trained from scratch”: ")[2]
    assert counted.startswith(f"{MINUS}50.0 % [")
    assert "] (pre-trained weights are worse) on BikeNYC (not run on BikeNYC2, TaxiNYC). Not run: matched " in counted
    assert "Not counted" not in screen()
    assert "(not run on" not in screen()


@pytest.mark.parametrize("unseen", ["no backbone", "random, frozen"])
def test_of_a_control_that_is_nowhere_judged_nothing_is_said(unseen):
    """It was run on synthetic data alone, the others on real data, too."""
    controls = {"identity": "no backbone", "random": "random, frozen", "attention": "one trained block"}
    without = BETTER | {name: (None, *BETTER[name][1:]) for name, title in controls.items() if title == unseen}
    made = [
        run
        if run.dataset == "bikenyc"
        else structs.replace(run, spec=structs.replace(run.spec, data=replace(run.spec.data, synthetic=True)))
        for run in reference_runs(controls=without)
    ]
    found = answer(results_of(made))
    judged = {m.name: sum(found.compared.counts([m]).values()) for m in found.methods}
    assert judged == {name: int(name != unseen) for name in controls.values()}
    text = " ".join(first_screen(results_of(made), "here").split("| **method**")[0].split())
    first = next(name for name in controls.values() if name != unseen)
    assert f"Yes: better in 2 of 2 comparisons.** With “{first}” in place of “pre-trained, frozen” the mean" in text
    assert text.count(" With “") == 2
    own = "ST-VFM has the least error on 1 of 1 data set (BikeNYC)"
    assert f"{own}; with “{first}” in its place that would be 1." in text
    assert f"“{unseen}”" not in text
    assert "Of the 4 where it is better, 2 are beside naive baselines and 0 beside models" in text
    assert "With “one trained block”: +10.0 % [" in text
    assert "on BikeNYC2" not in text.partition("In square brackets")[0]


def test_the_words_of_a_verdict_are_explained_once_and_the_data_sets_are_said_to_be_related():
    words = (
        "In square brackets: 95 % intervals over seeds and test windows. Equivalent: the 90 % interval is within ± 1 %."
    )
    related = "Related, and so no independent witnesses: BikeNYC, BikeNYC2 and TaxiNYC ("
    without = [run for run in reference_runs() if run.spec.weights != "pretrained"]
    for text in (screen(), " ".join(first_screen(results_of(without), "here").split())):
        assert text.count(words) == 1
        assert text.count("Verdicts are corrected for the number of comparisons on a data set, intervals are not.") == 1
        assert text.count(related) == 1


def test_data_sets_of_the_leaderboard_are_said_to_be_related_where_the_answer_is_of_one():
    one = dict.fromkeys(CONTROLS, (1.1, None, None))
    first, _, second = screen(controls=one).partition("**Does ST-VFM forecast better than the others?")
    assert "Related, and so" not in first
    assert second.count("Related, and so no independent witnesses: BikeNYC, BikeNYC2 and TaxiNYC (") == 1
    assert "In square brackets" in first
    assert "In square brackets" not in second


def test_an_open_difference_has_the_size_that_would_have_been_found():
    choices = {"controls": SAME | {"identity": (1.1, 1.0, 1.0)}, "spread": 0.01}
    found = answer(results_of(reference_runs(**choices)))
    (_, last) = list(found.of(found.methods[0]))[-1]
    assert last.verdict == "open"
    text = screen(**choices)
    assert f"(open, detectable: {last.detectable:.1f} %) on TaxiNYC" in text
    assert "Detectable: the smallest true difference that would have been found in 80 % of cases." in text


def on_one(spread=0.01):
    """What is there of one data set, with the settings that ST-VFM has in this profile."""
    config = {"backbone": "dinov2_small", "depth": 4}
    runs = [run for run in reference_runs(controls=SAME, spread=spread) if run.dataset == "bikenyc"]
    return results_of(
        structs.replace(run, spec=structs.replace(run.spec, config=config | {"weights": run.spec.weights}))
        if run.model == "stvfm"
        else run
        for run in runs
    )


def test_on_a_single_data_set_methods_stand_by_their_error_with_its_spread_and_what_they_read():
    lines = first_screen(on_one(), "here").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    assert rows[0] == ["**method**", "BikeNYC", "reads beside the history"]
    shown = {row[0]: row[1] for row in rows[2:]}
    assert list(shown)[-4:] == ["ConvLSTM", "STID", "*Historical average*", "*Last value*"]
    assert shown["*Last value*"] == "2.00"
    assert " ± 0.00" in shown["STID"]
    said = " ".join(lines)
    assert "Task short: 6 → 6 steps, protocol strict, profile reference: MAE on test, means ± sample" in said


LEFT = (
    "ight of 0 the pre-trained weights are better. Bars: 95 % intervals over seeds and test windows; shaded: within "
    "± 1 %; empty: open."
)


def test_both_halves_of_the_figure_are_explained_with_the_marks_in_them():
    def said(runs):
        return " ".join(first_screen(results_of(runs), "here").split())

    runs = reference_runs()
    right = "Right: MAE by the share of the training windows used. Bars: 95 % t-intervals over seeds alone."
    assert f"*Left: r{LEFT} {right} ‡ random instead of pre-trained weights; ¶" in said(runs)
    assert f"*Left: r{LEFT} {right} ¶ pre-trained weights" in said(run for run in runs if run.spec.weights != "random")
    assert f"*R{LEFT}*" in said(run for run in runs if run.spec.task.name == "short")
    others = (
        "last_value",
        "window_mean",
        "historical_average",
        "seasonal_naive_day",
        "seasonal_naive_week",
        "convlstm",
    )
    more = [
        record("bikenyc", model, mae=5.0, task=task, windows="last", profile="reference", seed=seed)
        for model in others
        for task in ("few1", "few10")
        for seed in range(3)
    ]
    assert f"*Left: r{LEFT} {right} Thin grey lines: the other methods, as far as they fit. ‡ random" in said(
        [*runs, *more]
    )


def test_the_days_before_are_told_where_with_another_share_others_are_read():
    def said(**days):
        """Of the pre-trained runs; all others read the day before the day before."""
        runs = [
            structs.replace(run, inputs=Inputs(calendar=True, days_back=read, place=True))
            for run in reference_runs()
            for read in [days[run.spec.task.name] if run.spec.weights == "pretrained" else (2,)]
        ]
        return " ".join(first_screen(results_of(runs), "here").split())

    read = (
        "“pre-trained, frozen” reads no day before with 1 %, days before (1) with 10 %, days before (1, 7) with 100 %. "
        "‡ random instead"
    )
    assert read in said(few1=(), few10=(1,), short=(7, 1))
    assert "days before (1) with" not in said(few1=(1,), few10=(1,), short=(1,))
    assert " before with 1 %" not in screen()  # of records that do not say


def planted(profile="reference", recipe=None):
    """On the shapes the pre-trained backbone has a tenth of the error of none."""
    known = {variant.name: variant for variant in load_suite("planted").variants}
    rows = [(known["pre-trained, frozen"], 0.1), (known["no backbone"], 1.0)]
    return [
        record(
            "control_shapes",
            "stvfm",
            mae=mae * (1 + seed / 1000),
            seed=seed,
            weights=row.weights or "none",
            overrides=(recipe or {})
            | {f"model.{name}": row.settings[name] for name in row.settings if row.named[profile].get(f"model.{name}")},
            base=recipe or {},
            synthetic=True,
            profile=profile,
        )
        for row, mae in rows
        for seed in range(3)
    ]


def test_what_the_comparison_finds_in_planted_data_of_the_same_profile_stands_below_the_answer():
    said = (
        "**Does the comparison find what is there, and nothing where nothing is?** On synthetic data made for it “pre-"
    )
    text = first_screen(results_of([*reference_runs(), *planted()]), "here")
    below, _, leaderboard = " ".join(text.split()).partition("answer-1.png")
    assert f"may change it. {said}trained, frozen”, with model.depth=0, model.flow=false, model.head=linear, " in below
    assert "model.tokens=image, is better in 1 of 1 comparison on Positive control: shapes. " in below
    assert "Positive control" not in leaderboard
    for others in (planted("paper"), planted(recipe={"train.lr": 0.005})):
        assert said not in " ".join(first_screen(results_of([*reference_runs(), *others]), "here").split())


def test_models_of_ours_that_the_leaderboard_lacks_are_named_below_it():
    assert "Not run: Chronos-Bolt; DLinear; " in " ".join(first_screen(on_one(), "here").split())


def test_on_a_single_data_set_a_verdict_is_a_word_and_what_was_not_run_is_named():
    text = " ".join(first_screen(on_one(), "here").split())
    assert "With “one trained block”: open: 0.0 % on BikeNYC. Not run: matched random, frozen; permuted, " in text


def test_a_claim_says_which_blocks_of_the_pre_trained_part_were_used():
    results, part = on_one(), "“pre-trained, frozen” (dinov2_small, its first 4 of 12 blocks)"
    assert f"in place of {part} the mean" in " ".join(first_screen(results, "here").split())
    assert "its first 4 of 12 blocks)" in " ".join(results.table("controls").tables[0].notes)
    assert any(f"On real data {part} is" in text for text in headline(results, results.suites)["answers"])


def test_one_data_set_ranks_nobody():
    assert "the best average rank" not in first_screen(on_one(), "here")


def test_a_difference_beyond_all_bounds_is_more_than_100():
    text = " ".join(first_screen(on_one(spread=0.7), "here").split())
    assert "(open, detectable: > 100 %)" in text


@pytest.mark.parametrize("profile", ["quick", "laptop"])
def test_nothing_is_said_of_a_profile_that_claims_nothing(profile):
    assert first_screen(results_of(reference_runs(profile=profile)), "here") == ""


def test_nothing_is_said_without_results_and_no_answer_is_given_without_the_pre_trained_runs():
    assert first_screen(results_of([]), "here") == ""
    without = [run for run in reference_runs() if run.spec.weights != "pretrained"]
    text = first_screen(results_of(without), "here")
    assert answer(results_of(without)) is None
    assert text.startswith(
        "**Does ST-VFM forecast better than the others? Yes: better in 12 of 12 comparisons.** On Bike"
    )
    assert "ST-VFM ‡ is better than 4 of 4 others; " in text
    assert "**method**" in text
    assert "answer-1.png" not in text


def test_a_single_seed_supports_no_answer():
    single = [run for run in reference_runs() if run.seed == 0]
    text = " ".join(first_screen(results_of(single), "here").split())
    assert text.startswith("**Does the pre-trained vision model matter? Not shown: open in 9 of 9 comparisons.** ")
    assert "% (too few seeds for an interval) on BikeNYC" in text
    assert "MAE on test, single runs; naive" in text
