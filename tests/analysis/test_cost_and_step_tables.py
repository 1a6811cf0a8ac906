"""The tables ``efficiency`` and ``per_horizon``."""

from __future__ import annotations

import dataclasses
import math

import pytest
from msgspec.structs import replace
from records import record, results_of, suite

from bench.analysis.formats.latex import latex
from bench.analysis.formats.markdown import markdown
from bench.analysis.tables.per_horizon import shown_steps
from bench.runs.suite import load_suites

(SHORT,) = load_suites(["short_term"])


def table(name, records, code=None):
    return results_of(records, code, [SHORT]).table(name)


def costly(*args, cost, **facts):
    run = record(*args, **facts)
    return replace(run, cost=replace(run.cost, **cost))


def rows(file):
    lines = [line for line in markdown(file).splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_costs_are_means_over_seeds_and_data_sets():
    made = [costly(seed=seed, cost={"train_s": 10.0 + seed, "parameters": 1234567}) for seed in (0, 1)]
    made.append(costly("taxinyc", cost={"train_s": 20.5, "parameters": 1234567}))
    _, row = rows(table("efficiency", made))
    assert row == ["stid", "1,234,567", "90", "15.5", "0.000012", "0.250", "321", "2"]


def test_a_peak_of_memory_that_is_not_known_of_every_run_is_a_dash():
    made = [costly(seed=0, cost={"peak_mb": None}), record(seed=1), record(model="b")]
    file = table("efficiency", made)
    assert {row[0]: row[6] for row in rows(file)[1:]} == {"stid": "—", "b": "321"}
    assert math.isnan(dict(zip(file.csv[""]["method"], file.csv[""]["peak_mb"], strict=True))["stid"])


def test_what_has_no_network_has_dashes_for_its_parameters_and_a_frozen_network_trains_0():
    rule, frozen = {"parameters": 0, "trainable_parameters": 0}, {"parameters": 70, "trainable_parameters": 0}
    made = [costly(model="ridge", cost=rule), costly(model="chronos_bolt", cost=frozen), record()]
    shown = {row[0]: row[1:3] for row in rows(table("efficiency", made))[1:]}
    assert list(shown.values()) == [["70", "0"], ["—", "—"], ["100", "90"]]
    csv = table("efficiency", made).csv[""]
    assert csv[csv["method"] == "ridge"]["parameters"].tolist() == [0], "a CSV has what was measured"


def ends(patience, epochs=8, **facts):
    run = record(epochs=epochs, **facts)
    return replace(run, spec=replace(run.spec, train=dataclasses.replace(run.spec.train, patience=patience)))


def test_when_training_ends_is_told_by_the_recipe_of_the_runs():
    def note(*runs):
        return " ".join(table("efficiency", runs).tables[0].notes)

    assert "Training takes all epochs of its recipe (8)." in note(ends(20), ends(8, seed=1))
    assert "ends early" not in note(ends(8))
    assert "Training ends early where validation no longer improves" in note(ends(20), ends(7, seed=1))
    assert "Training" not in note(record(epochs=0))


def test_operations_are_counted_in_billions_and_none_is_a_zero():
    made = [costly(model=name, cost={"flops": flops}) for name, flops in {"a": 35_200_000_000, "b": 0}.items()]
    file = table("efficiency", made)
    assert {row[0]: row[4] for row in rows(file)[1:]} == {"a": "35.2", "b": "0"}
    assert dict(zip(file.csv[""]["method"], file.csv[""]["flops"], strict=True)) == {"a": 35.2e9, "b": 0.0}


def test_runs_of_two_devices_stand_in_two_groups_that_name_them():
    made = [costly(device="cpu", cost={"train_s": 9.0}), costly(seed=1, device="H200", cost={"train_s": 1.0})]
    file = table("efficiency", made)
    assert [each.heading.rpartition(", on ")[2] for each in file.tables] == ["H200", "cpu"]
    assert [row[3] for row in rows(file) if row[0] == "stid"] == ["1.00", "9.00"]
    assert sorted(file.csv[""]["device"]) == ["H200", "cpu"]


def test_a_failed_run_costs_nothing():
    file = table("efficiency", [record(), record(model="b", failed=True)])
    assert [row[0] for row in rows(file)] == ["**Cost**", "stid"]


def test_costs_of_earlier_code_are_marked():
    file = table("efficiency", [record()], {("bikenyc", "stid"): "f" * 12})
    assert rows(file)[1][1] == "100 §"


def test_naive_baselines_come_first_and_synthetic_data_sets_are_marked():
    file = table("efficiency", suite())
    assert [row[0] for row in rows(file)][1:3] == ["*last_value*", "*window_mean*"]
    assert "taxibj †" in markdown(file)
    assert markdown(file).splitlines()[-1].startswith("† synthetic data, not the real data set")


def test_every_step_has_its_mean_over_seeds_and_the_best_are_marked():
    made = [record(mae=1.0), record(seed=1, mae=3.0), record(model="b", mae=1.0)]
    file = table("per_horizon", made)
    head, best, other = rows(file)
    assert head == ["**MAE**", *(f"step {step}" for step in range(1, 7))]
    assert best[:3] == ["b", "**0.900**", "**0.940**"]
    assert other[:3] == ["stid", "<u>1.800</u>", "<u>1.880</u>"]
    [row] = file.csv[""].query("method == 'stid' and step == 6").itertuples()
    assert (row.mean, row.std, row.n) == (pytest.approx(2.2), pytest.approx(math.sqrt(2) * 1.1), 2)


def test_data_sets_are_tables_of_their_own_and_synthetic_ones_are_marked_at_their_name():
    file = table("per_horizon", suite())
    assert [each.heading.partition(":")[0] for each in file.tables] == ["bikenyc", "taxibj †", "taxinyc"]
    assert [header.text for header in file.tables[1].columns] == [f"step {step}" for step in range(1, 7)]
    first, second, third = markdown(file).split("## ")[1:]
    assert "† synthetic data, not the real data set" in second
    assert "†" not in first + third


def test_two_versions_of_a_data_set_have_headings_and_labels_of_their_own():
    file = table("per_horizon", [record(), record(sha256="e" * 64)])
    assert [heading.partition(":")[0] for heading, _ in file.by_heading()] == [
        "bikenyc (npz-1, dddddd)",
        "bikenyc (npz-1, eeeeee)",
    ]
    assert [f"tab:per-horizon-{number}-mae" in latex("per_horizon", file) for number in (1, 2)] == [True, True]


def test_long_horizons_show_powers_of_two_and_their_end():
    assert shown_steps(6) == [1, 2, 3, 4, 5, 6]
    assert shown_steps(64) == [1, 2, 4, 8, 16, 32, 64]
    assert shown_steps(12) == [1, 2, 4, 8, 12]
