"""Which suite shows a run, and in which order groups stand: a run that was asked for is found in a table."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from records import record, results_of
from variants import controls

from bench.runs.suite import Suite, load_suite

MODELS = ("last_value", "stid", "mine")
FEW = {"windows": "last", "profile": "reference"}


def of_suite(name: str, made: Any) -> Any:
    """The same run as the plan of a suite makes it."""
    return structs.replace(made, label=structs.replace(made.label, suite=name))


def rows(records: list[Any], suite: str) -> dict[str, list[str]]:
    """The rows of each group of a suite, by its task."""
    groups = results_of(records).groups(load_suite(suite))
    return {key.task: [method.name for method in group.methods] for key, group in groups.items()}


def shares(*tasks: str, suite: str = "data_efficiency") -> list[Any]:
    return [of_suite(suite, record(model=model, task=task, **FEW)) for task in tasks for model in MODELS]


@pytest.mark.filterwarnings("ignore:no figure")
def test_a_model_that_a_suite_does_not_name_stands_in_its_table_if_its_plan_made_runs_of_it() -> None:
    made = shares("few1", "few10", "few50")
    assert rows(made, "data_efficiency") == {key: [*MODELS] for key in ("few1", "few10", "few50")}
    assert len(results_of(made).plot("fractions")) == 1
    shared = {"profile": "reference", "task": "few1", "windows": "last"}
    assert rows([*made, *controls(**shared)], "data_efficiency")["few1"][-1] == "mine"
    assert rows(shares("few1", suite="few_shot"), "data_efficiency") == {}


def test_a_share_that_no_suite_of_all_models_has_is_found_in_the_one_that_has_it() -> None:
    assert rows(shares("few25", suite="short_term"), "data_efficiency") == {"few25": [*MODELS]}
    own = Suite(
        name="own", title="T", tasks=("few25",), protocol="strict", datasets=("bikenyc",), models=("last_value", "stid")
    )
    (group,) = results_of(shares("few25", suite="short_term"), suites=[own]).groups(own).values()
    assert [method.name for method in group.methods] == ["last_value", "stid"], "a suite of one's own is as it says"


def test_planted_data_stand_in_the_suite_of_them_and_elsewhere_only_if_a_suite_asks_for_them() -> None:
    planted = [
        of_suite("planted", record("control_shapes", model, weights=weights, synthetic=True))
        for model, weights in (("window_mean", "none"), ("stvfm", "pretrained"))
    ]
    asked = of_suite("short_term", record("control_noise", synthetic=True))
    groups = results_of([record(), *planted, asked]).groups(load_suite("short_term")).values()
    assert {data.dataset for group in groups for data in group.datasets} == {"bikenyc", "control_noise"}
    own = Suite(name="own", title="T", tasks=("short",), protocol="strict", datasets=("control_shapes",))
    (group,) = results_of(planted, suites=[own]).groups(own).values()
    assert [data.dataset for data in group.datasets] == ["control_shapes"]


def test_naive_baselines_alone_are_no_answer_of_a_suite_that_names_its_rows() -> None:
    made = [of_suite("controls", record(model="last_value")), record(model="stvfm", weights="pretrained")]
    assert rows(made, "controls") == {}


@pytest.mark.parametrize("scored", [0, 13])
def test_tuned_runs_of_one_profile_hide_no_runs_of_another(scored: int) -> None:
    plain = [record(model=model, profile="laptop") for model in MODELS]
    quick = {"profile": "quick", "scored": scored}
    results = results_of([*plain, record(model="mine", tuned=True, **quick), record(model="last_value", **quick)])
    shown = {
        (key.profile, bool(key.recipe)): [method.name for method in group.methods]
        for key, group in results.plain_groups().items()
    }
    assert shown["laptop", False] == ["last_value", "mine", "stid"]
    assert shown["quick", True] == ["last_value", "mine"]
    tuned = results.groups(load_suite("everyone_tuned"))
    assert [(key.profile, bool(key.recipe)) for key in tuned] == [("quick", True)]


def test_of_two_suites_that_have_a_group_the_one_with_more_of_it_is_shown_over_suites() -> None:
    one = Suite(
        name="a", title="T", tasks=("short",), protocol="strict", datasets=("bikenyc",), models=("last_value", "stid")
    )
    results = results_of([record(model=model) for model in MODELS], suites=[one, load_suite("short_term")])
    (group,) = results.plain_groups().values()
    assert [method.name for method in group.methods] == ["last_value", "mine", "stid"]


def test_the_usual_groups_stand_first_whatever_is_run_later() -> None:
    main = record(profile="reference")
    later = [
        record(profile="laptop"),
        record(profile="quick", scored=13),
        record(profile="paper", task="few1", windows="last"),
        record(profile="paper", overrides={"train.lr": 0.1}),
        record(profile="paper", tuned=True),
        record(profile="paper", task="long"),
    ]
    keys = [*results_of([main, *later]).plain_groups()]
    assert (keys[0].task, keys[0].profile) == ("short", "reference")
    assert [key.profile for key in keys[-2:]] == ["laptop", "quick"]
    of_suite = [*results_of([main, *later]).groups(load_suite("short_term"))]
    assert [key.profile for key in of_suite] == ["reference", "paper", "laptop", "quick"]


def test_a_study_with_a_recipe_of_its_own_stays_before_tuned_settings_and_single_tries() -> None:
    study = [record(seed=seed, overrides={"train.epochs": 3}) for seed in range(3)]
    later = [
        record(overrides={"train.epochs": 2}, tuned=True),
        record(overrides={"train.epochs": 1}),
        *(record(model="last_value", overrides={"train.epochs": 1}, seed=seed) for seed in range(6)),
    ]
    groups = [key.recipe for key in results_of([*later, *study]).plain_groups()]
    assert groups == ["train.epochs=3", "train.epochs=1", "train.epochs=2, tuned settings"]


def test_a_setting_that_is_a_list_is_one_change() -> None:
    listed = [record(overrides={"train.betas": [0.9, 0.95, 0.99]}, seed=seed) for seed in range(2)]
    two = [record(overrides={"train.epochs": 1, "train.lr": 0.1}, seed=seed) for seed in range(3)]
    one, other = results_of([*two, *listed]).plain_groups()
    assert (one.unusual, other.unusual) == (4, 5)
    assert one.recipe == "train.betas=[0.9, 0.95, 0.99]"


def test_a_suite_shows_its_own_data_sets_and_others_only_if_they_were_run_for_it() -> None:
    suite = Suite(name="own", title="T", tasks=("short",), protocol="strict", datasets=("myflow",), models=("stid",))
    made = [record("myflow"), record("bikenyc"), of_suite("own", record("taxibj"))]
    earlier = record("taxibj", mae=1.5, seed=1)  # made before by another suite, and so not made again
    made.append(earlier)
    (group,) = results_of(made, suites=[suite]).groups(suite).values()
    assert [data.dataset for data in group.datasets] == ["myflow", "taxibj"]
    assert earlier.run_id in {run.run_id for cell in group.cells.values() for run in cell.runs}
    joined = suite.model_copy(update={"extras": True})
    (group,) = results_of(made, suites=[joined]).groups(joined).values()
    assert [data.dataset for data in group.datasets] == ["bikenyc", "myflow", "taxibj"]
