"""Which row of which group a run stands in."""

from __future__ import annotations

from typing import Any

import pytest
from records import record, results_of

from bench.analysis.grouping import grouped, run_ids
from bench.runs.suite import Method, Suite, load_suite

VARIANTS = (
    Method(name="whole", model="stvfm"),
    Method(name="without flow", model="stvfm", settings={"flow": False}),
    Method(name="2 blocks", model="stvfm", settings={"depth": 2}),
    Method(name="3 blocks", model="stvfm", settings={"depth": 3, "head": "linear"}),
    Method(name="pre-trained", model="visionts", settings={"weights": "pretrained"}),
    Method(name="random", model="visionts", settings={"weights": "random"}),
)
KNOWN: dict[str, Any] = {"tasks": ("short",), "protocol": "strict", "datasets": ("bikenyc",)}
CLOSED = Suite(name="ablation", title="Ablation", models=("last_value",), variants=VARIANTS, **KNOWN)
OPEN = Suite(name="all", title="All", **KNOWN)
Settings = dict[str, Any]


def run(model: str = "stvfm", changes: Settings | None = None, base: Settings | None = None, **facts: Any) -> Any:
    """A run with these settings other than the profile's; those in ``base`` all runs were made with."""
    return record(model=model, overrides=changes or {}, base=base or {}, **facts)


def placed(suite: Suite, *records: Any) -> list[tuple[str, str, str, str]]:
    """Of every cell the method's name and changes, and what its group shares of the model and of the recipe."""
    groups = grouped(results_of(records).runs, suite)
    return [
        (method.name, method.changes, key.base, key.recipe) for key, group in groups.items() for method in group.methods
    ]


def test_a_run_stands_in_the_row_of_its_changes() -> None:
    assert placed(CLOSED, run()) == [("whole", "", "", "")]
    assert placed(CLOSED, run("stvfm", {"model.flow": False})) == [("without flow", "model.flow=false", "", "")]
    assert placed(CLOSED, run("last_value")) == [("last_value", "", "", "")]


def test_a_row_may_name_the_usual_value() -> None:
    made = run("stvfm", {"model.head": "linear"}, base={"model.depth": 6}, profile="quick")
    assert ("3 blocks", "model.head=linear", "model.depth=6", "") in placed(CLOSED, made)


def test_the_usual_value_is_that_of_the_runs_own_profile() -> None:
    """Three blocks are ST-VFM's usual depth in the quick profile; the paper profile has all of them."""
    linear = {"model.head": "linear"}
    for profile, changes in (("quick", linear), ("paper", {**linear, "model.depth": 3})):
        ((name, *_),) = placed(CLOSED, run("stvfm", changes, base={}, profile=profile))
        assert name == "3 blocks", profile
    assert placed(CLOSED, run("stvfm", linear, base={}, profile="paper")) == []


def test_what_the_whole_suite_was_run_with_is_shared_by_the_group() -> None:
    base = {"model.backbone": "vit_base", "train.epochs": 3, "train.lr": 0.1}
    (place, *_) = placed(CLOSED, run("stvfm", {"model.flow": False, **base}, base=base))
    assert place == ("without flow", "model.flow=false", "model.backbone=vit_base", "train.epochs=3, train.lr=0.1")


def test_a_suite_run_with_a_setting_that_a_row_names_keeps_its_rows() -> None:
    base = {"model.depth": 6}
    runs = [
        run("stvfm", base, base=base),
        run("stvfm", {"model.flow": False, **base}, base=base),
        run("stvfm", {"model.depth": 2}, base=base),
    ]
    wanted = {("whole", "", "model.depth=6", ""), ("without flow", "model.flow=false", "model.depth=6", "")}
    wanted |= {("2 blocks", "model.depth=2", "model.depth=6", "")}
    assert set(placed(CLOSED, *runs)) == wanted


def test_a_run_serves_every_group_that_it_fits() -> None:
    """The whole model with 2 blocks is a row of one group, and the reference of another."""
    depth = {"model.depth": 2}
    runs = [run("stvfm", depth), run("stvfm", {**depth, "model.flow": False}, base=depth)]
    assert set(placed(CLOSED, *runs)) == {
        ("2 blocks", "model.depth=2", "", ""),
        ("whole", "", "model.depth=2", ""),
        ("without flow", "model.flow=false", "model.depth=2", ""),
    }


def test_what_all_runs_of_one_task_were_made_with_makes_no_group_of_another_task() -> None:
    both = Suite(name="both", title="Both", models=("stid",), **KNOWN | {"tasks": ("short", "few1")})
    width = {"model.width": 16}
    runs = results_of([run("stid", width, base=width), run("stid", width, task="few1", windows="last")]).runs
    assert [(key.task, key.base) for key in grouped(runs, both)] == [("short", "model.width=16")]


def test_another_value_of_a_setting_stands_nowhere_unless_all_were_run_with_it() -> None:
    depth = {"model.depth": 3}
    assert placed(CLOSED, run("stvfm", depth)) == []
    assert placed(CLOSED, run("stvfm", depth, base=depth)) == [("whole", "", "model.depth=3", "")]


def test_weights_tell_rows_apart_where_a_row_names_them() -> None:
    assert placed(CLOSED, run("visionts", weights="random")) == [("random", "", "", "")]
    assert placed(CLOSED, run("visionts", weights="pretrained")) == [("pre-trained", "", "", "")]
    assert placed(CLOSED, run(weights="random")) == placed(CLOSED, run(weights="pretrained"))


def test_other_tasks_and_models_stand_nowhere() -> None:
    runs = [run(task="long"), run("stid")]
    assert placed(CLOSED, *runs) == []
    assert run_ids(results_of(runs).runs, CLOSED, results_of(runs).groups(CLOSED)) == set()


def test_in_a_suite_of_all_models_every_change_is_a_row_unless_it_was_made_as_a_variant() -> None:
    asked = {"model.width": 64, "train.lr": 0.1}
    assert placed(OPEN, run("stid", asked, base=asked)) == [("stid", "model.width=64", "", "train.lr=0.1")]
    assert placed(OPEN, run("stvfm", {"model.flow": False})) == []
    assert placed(OPEN, run("stvfm", {"model.flow": False}, base={"model.flow": False})) != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"windows": "first"}),
        ({"windows": "first"}, {"windows": "first", "equal_steps": False}),
        ({}, {"days_back": "7,1"}),
        ({}, {"days_back": "none"}),
        ({}, {"calendar": False}),
        ({}, {"scored": 32}),
        ({"scored": 32}, {"scored": 64}),
    ],
)
def test_runs_of_other_windows_steps_or_information_never_share_a_group(one: Settings, other: Settings) -> None:
    records = [record(task="few5", seed=0, **one), record(task="few5", seed=1, **other)]
    groups = results_of(records).groups(load_suite("few_shot"))
    assert len(groups) == 2
    assert [summary.seeds for group in groups.values() for summary in group.cells.values()] == [1, 1]
    assert len({key.title for key in groups}) == 2
