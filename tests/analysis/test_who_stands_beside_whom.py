"""What must never share a table, a mean or a measure: mistakes that would flatter somebody without being seen."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from records import CODE, record, results_of

from bench.analysis.failures import failures
from bench.analysis.groups import Group
from bench.analysis.report.facts import failed_runs, models
from bench.analysis.report.headline import headline
from bench.analysis.standings import standing
from bench.analysis.table import MINUS
from bench.runs.suite import Suite, load_suites

SHORT, PUBLISHED, CONTROLS = load_suites(["short_term", "published", "controls"])
CITIES = ("oslo", "bergen", "tromso")
OLD = "0" * len(CODE)


def groups(*records: Any, suite: Suite = SHORT, code: Any = None) -> list[Group]:
    return [*results_of(records, code, [suite]).groups(suite).values()]


def names(group: Group) -> list[str]:
    return [method.name for method in group.methods]


def test_skill_is_measured_by_the_best_naive_baseline_and_not_by_an_easier_one() -> None:
    made = [
        record(city, model, mae=mae)
        for city in CITIES
        for model, mae in (("last_value", 4.0), ("historical_average", 2.0), ("stid", 1.0), ("simvp", 1.5))
    ]
    (group,) = groups(*made)
    assert [*standing(group).naive] == [2.0, 2.0, 2.0]
    rows = results_of(made, suites=[SHORT]).table("ranks").csv[""].set_index("method")
    assert rows["skill"].to_dict() == pytest.approx({"stid": 0.5, "simvp": 0.25})


def test_stale_runs_never_join_a_current_one_however_many_they_are() -> None:
    stale = [record(seed=seed, mae=9.0, code=OLD) for seed in range(3)]
    (group,) = groups(record(seed=3, mae=1.0), *stale, code={("bikenyc", "stid"): CODE})
    (cell,) = group.cells.values()
    assert [run.seed for run in cell.runs] == [3]
    assert (cell.mean("mae"), cell.flags) == (1.0, ())


def test_stale_runs_alone_are_shown_as_such_and_never_ranked() -> None:
    (group,) = groups(*(record(seed=seed, code=OLD) for seed in range(3)), code={("bikenyc", "stid"): CODE})
    (cell,) = group.cells.values()
    assert (cell.seeds, cell.flags, cell.ranked) == (3, ("stale",), False)


@pytest.mark.parametrize(
    "other",
    [{"horizon": 12}, {"history": 12}, {"protocol": "unist"}, {"leaky_scaler": True}, {"fraction": 0.05}],
    ids=lambda facts: next(iter(facts)),
)
def test_a_naive_baseline_of_another_task_is_never_borrowed(other: dict[str, Any]) -> None:
    foreign = record(model="last_value", mae=3.0, **other)
    with_model = [group for group in groups(record(mae=1.0), foreign) if "stid" in names(group)]
    assert [names(group) for group in with_model] == [["stid"]]
    own = record(model="last_value", mae=3.0, profile="quick")
    assert names(next(group for group in groups(record(mae=1.0), own) if "stid" in names(group))) == [
        "last_value",
        "stid",
    ]


def published(*records: Any) -> list[tuple[str, list[str]]]:
    """Headings of the tables of published MAE, and the texts of our STID."""
    rows = [
        (table.heading, row.name, [cell.text for cell in cells])
        for table in results_of(records, suites=[PUBLISHED]).table("published").tables
        if table.heading.startswith("Beside published numbers") and table.key == "mae"
        for row, cells in zip(table.rows, table.cells, strict=True)
    ]
    return [(heading, texts) for heading, name, texts in rows if name == "stid"]


def test_published_numbers_stand_beside_runs_with_all_training_data_alone() -> None:
    few = record(protocol="unist", fraction=0.05, mae=9.0)
    assert published(few) == []
    ((_, ours),) = published(few, record(protocol="unist", mae=1.54))
    assert ours == ["1.54 (0.0)"]


def test_a_leaky_scaler_is_named_above_published_numbers_and_shares_no_row_with_honest_runs() -> None:
    honest, leaky = record(protocol="unist", mae=1.54), record(protocol="unist", mae=0.77, leaky_scaler=True, seed=1)
    made = published(honest, leaky)
    assert [ours for _, ours in made] == [["1.54 (0.0)"], [f"0.770 ({MINUS}50.0)"]]
    assert ["leaky" in heading for heading, _ in made] == [False, True]


def test_a_current_run_is_compared_with_current_ones_alone() -> None:
    shared: dict[str, Any] = {"model": "stvfm", "base": {}}
    made = [record(seed=seed, mae=1 + seed / 100, weights="pretrained", **shared) for seed in range(3)]
    shared["overrides"] = {"model.control": "identity"}
    made += [record(seed=seed, mae=1.2 + seed / 100, **shared) for seed in range(2)]
    made += [record(seed=seed, mae=9.0, code=OLD, **shared) for seed in range(5)]
    results = results_of(made, {("bikenyc", "stvfm"): CODE}, [CONTROLS])
    (compared,) = results.differences(CONTROLS).values()
    (difference,) = compared.cells.values()
    assert len(difference.seeds) == 2
    assert difference.percent == pytest.approx(100 * (1.205 / 1.01 - 1), abs=0.01)


def test_a_plain_run_that_happens_to_be_a_variant_makes_no_table_of_a_suite_that_was_not_asked_for() -> None:
    (backbones,) = load_suites(["backbones"])
    usual = backbones.methods[[method.name for method in backbones.methods].index("vit_tiny")]
    assert usual.named["quick"] == {"model.backbone": None}  # the quick profile's own
    plain = record(model="stvfm", profile="quick", weights="random")
    assert groups(plain, suite=backbones) == []
    asked = structs.replace(plain, label=structs.replace(plain.label, suite="backbones"))
    assert names(*groups(asked, suite=backbones)) == ["vit_tiny"]
    without = {"model.control": "identity"}
    reference = record(model="stvfm", profile="quick", weights="none", overrides=without, base={})
    assert names(*groups(plain, reference, suite=backbones)) == ["no backbone", "vit_tiny"]


@pytest.mark.parametrize(
    ("suite", "name", "made"),
    [
        ("zero_shot", "Fracast-0", {"model": "fracast", "base": {}}),
        ("controls", "random, frozen", {"model": "stvfm", "weights": "random", "base": {}}),
    ],
)
def test_a_run_that_was_made_for_a_suite_stands_in_it_even_alone(suite: str, name: str, made: dict[str, Any]) -> None:
    (asked,) = load_suites([suite])
    plain = record(**made)
    assert groups(plain, suite=asked) == []
    for_it = structs.replace(plain, label=structs.replace(plain.label, suite=suite))
    assert names(*groups(for_it, suite=asked)) == [name]


def test_a_failure_that_other_code_has_mended_is_no_failure_any_more() -> None:
    broken = record(code=OLD, failed=True)
    assert failures(results_of([broken]).runs) == [broken]
    mended = results_of([broken, record(), record(seed=1, failed=True)], suites=[SHORT])
    assert [one.seed for one in failures(mended.runs)] == [1]
    first = headline(mended, [SHORT])
    assert "1 finished run, 1 failed" in first["state"]
    assert "1 run failed; the reasons are below." in first["cautions"]
    assert len(failed_runs(mended.runs).rows) == 1
    assert repr(mended).startswith("Results(3 runs: 1 done, 1 failed, 1 failed and mended since; ")
    assert repr(results_of([broken, record()])).startswith("Results(2 runs: 1 done, 1 failed and mended since; ")
    stale = results_of([record(code=OLD), record(code=OLD, seed=1, failed=True)], {("bikenyc", "stid"): CODE})
    assert repr(stale).startswith("Results(2 runs: 1 done, 1 of them stale, 1 failed; ")
    assert models(mended.runs).cells[0][-2].value == "1"
