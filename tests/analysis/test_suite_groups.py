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
    assert {table.key for table in results.table(name).tables} == ({"mae", "rmse", "difference"} if groups else set())
    assert len(results.plot(name)) == len(groups)
    return groups


def test_a_suite_about_few_data_has_nothing_to_say_of_all_of_the_windows_alone():
    with pytest.warns(UserWarning, match="no figure 'data_efficiency'"):
        assert tasks_of(controls()) == []
    assert tasks_of([*controls(), *controls("few1", windows="last")]) == ["few1", "short"]
    assert tasks_of(controls(), "controls") == ["short"]


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
