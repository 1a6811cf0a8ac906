"""Which groups of a suite are shown: one that asks about few data says nothing where all of the data are there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from records import record, results_of
from variants import variant

from bench.runs.suite import Suite, load_suite


def controls(task="short", **facts):
    """What data_efficiency compares, with three seeds each."""
    facts = {"profile": "reference", "task": task, **facts}
    return [
        run
        for seed in range(3)
        for run in (
            variant(1.0 + seed / 100, weights="pretrained", seed=seed, **facts),
            variant(1.1 + seed / 100, weights="random", seed=seed, **facts),
        )
    ]


def tasks_of(records, name="data_efficiency"):
    results = results_of(records)
    suite = load_suite(name)
    groups = sorted(key.task for key in results.groups(suite))
    wanted = {"mae", "rmse", "difference", "measures"} if groups else set()
    assert {table.key for table in results.table(name).tables} == wanted
    assert len(results.plot(name)) == len(results.differences(suite))
    return groups


def test_a_suite_about_few_data_has_nothing_to_say_of_all_of_the_windows_alone():
    with pytest.warns(UserWarning, match="no figure 'data_efficiency'"):
        assert tasks_of(controls()) == []
    assert tasks_of([*controls(), *controls("few1", windows="last")]) == ["few1", "short"]
    assert tasks_of(controls(), "controls") == ["short"]


def test_what_is_asked_of_few_data_is_not_answered_by_all_windows_beside_them():
    results = results_of([*controls(), *controls("few1", windows="last")])
    for name, asked in (("data_efficiency", ["few1"]), ("controls", ["short"])):
        assert [key.task for key in results.differences(load_suite(name))] == asked


def test_a_share_of_another_profile_or_recipe_or_of_naive_baselines_alone_is_no_share_of_it():
    others = controls("few1", windows="last", profile="laptop")
    assert tasks_of([*controls(), *others]) == ["few1"]
    naive = record(model="last_value", task="few1", windows="last", profile="reference")
    with pytest.warns(UserWarning, match="no figure 'data_efficiency'"):
        assert tasks_of([*controls(), naive]) == []


def test_a_suite_of_one_s_own_about_few_data_is_no_exception():
    suite = Suite(name="mine", title="Mine", tasks=("few1", "short"), protocol="strict", datasets=("bikenyc",))
    assert not results_of([record()], suites=[suite]).groups(suite)
    both = [record(), record(task="few1", windows="last")]
    assert [key.task for key in results_of(both, suites=[suite]).groups(suite)] == ["short", "few1"]


def test_all_windows_stand_beside_a_share_though_another_suite_made_their_runs():
    share = record(model="stid", task="few1", windows="last")
    share = replace(share, label=replace(share.label, suite="data_efficiency"))
    short, elsewhere = record(model="stid"), record(model="stid", profile="laptop")

    def shown(*records):
        return [key.task for key in results_of(records).groups(load_suite("data_efficiency"))]

    assert shown(short) == []
    assert shown(share, short) == ["short", "few1"]
    assert shown(share, elsewhere) == ["few1"]


def notes_of(records, suite):
    """The notes of each grid of scores, and of published numbers, by its group's heading."""
    tables = results_of(records, suites=[suite]).table(suite.name).tables
    return {table.heading: " ".join(table.notes) for table in tables if table.key == "mae"}


def test_every_row_of_a_suite_that_a_group_lacks_is_named_and_not_its_variants_alone():
    published = load_suite("published")
    runs = [record(model=model, protocol="unist") for model in ("window_mean", "historical_average", "stid", "stnorm")]
    changed = {"base": {"train.loss": "mse"}, "overrides": {"train.loss": "mse"}, "protocol": "unist"}
    notes = notes_of([*runs, record(model="stid", **changed)], published)
    usual, mse = (
        {
            text.partition("Not run: ")[2].partition(".")[0]
            for heading, text in notes.items()
            if ("mse" in heading) is it
        }
        for it in (False, True)
    )
    assert usual == {"stresnet; predrnn; simvp; patchtst; itransformer; TAU; ST-VFM, pre-trained"}
    assert mse == {"stresnet; stnorm; predrnn; simvp; patchtst; itransformer; TAU; ST-VFM, pre-trained"}
    assert len(notes) == 4  # beside published numbers, too


def test_a_suite_of_all_models_lacks_what_its_plan_has_where_its_reference_was_run_as_the_suite_has_it():
    suite, here = load_suite("short_term"), [record(model="stid"), record(model="stvfm", weights="pretrained")]
    profile = [replace(run, label=replace(run.label, profile="reference")) for run in here]
    (text,) = notes_of(profile, suite).values()
    lacking = text.partition("Not run: ")[2].partition(".")[0].split("; ")
    assert {"convlstm", "last_value"} <= {*lacking}
    assert not {"stid", "stvfm", "fracast", "visionts"} & {*lacking}  # the last two the profile leaves out
    tries = [
        [record(model="stid")],
        [replace(run, label=replace(run.label, profile="quick")) for run in here],
        [record(model="stvfm", weights="pretrained", protocol="unist")],
        [record(model="stvfm", weights="pretrained", overrides={"width": 8})],
    ]
    assert [text for runs in tries for text in notes_of(runs, suite).values() if "Not run" in text] == []


@pytest.mark.parametrize(
    ("task", "changed"),
    [
        ("short", {"calendar": False}),
        ("short", {"clamp": True}),
        ("short", {"leaky_scaler": True}),
        ("short", {"scored": 50}),
        ("short", {"days_back": "none"}),
        ("short", {"history": 12}),
        ("short", {"horizon": 12}),
        ("few1", {"windows": "first"}),
        ("few1", {"equal_steps": False}),
        ("few1", {"fraction": 0.02}),
        ("transfer1", {"scaler": "target"}),
    ],
)
def test_nothing_is_lacking_where_the_task_of_the_reference_was_changed(task, changed):
    facts = {"name": "mine", "title": "Mine", "protocol": "strict", "datasets": ("bikenyc",)}
    suite = Suite(**facts, tasks=(task,), references=("stvfm",))
    usual, other = (
        notes_of([record(model="stvfm", weights="pretrained", task=task, **settings)], suite)
        for settings in ({}, changed)
    )
    assert ["Not run: " in text for text in (*usual.values(), *other.values())] == [True, False]


def test_what_a_suite_sets_of_its_task_is_no_change_of_it():
    facts = {"title": "Mine", "tasks": ("short",), "protocol": "strict", "datasets": ("bikenyc",)}
    suite = Suite(name="mine", **facts, references=("stvfm",), task={"days_back": "1, 7"})
    made = record(model="stvfm", weights="pretrained", days_back="7,1")
    (text,) = notes_of([made], suite).values()
    assert "Not run: " in text
