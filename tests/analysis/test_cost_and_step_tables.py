"""The tables ``efficiency`` and ``per_horizon``."""

from __future__ import annotations

import csv
import io
import math

import pytest
from records import record, runs_of, suite

from bench.analysis.tables.efficiency import make_efficiency
from bench.analysis.tables.per_horizon import make_per_horizon, shown_steps
from bench.errors import StoreError
from bench.runs.layout import Layout

SHORT = Layout(name="short_term", title="Short-term", tasks=("short",))


def costly(*args, device="cpu", cost=None, **kind):
    made = record(*args, **kind)
    return made | {
        "environment": made["environment"] | {"device": device},
        "cost": made["cost"] | (cost or {}),
    }


def rows(markdown):
    lines = [line for line in markdown.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_costs_are_means_over_seeds_and_data_sets():
    made = [costly(seed=seed, cost={"train_s": 10.0 + seed, "parameters": 1234567}) for seed in (0, 1)]
    made.append(costly("taxinyc", cost={"train_s": 20.5, "parameters": 1234567}))
    _, row = rows(make_efficiency(runs_of(made), [SHORT]).to_markdown())
    assert row == ["stid", "1,234,567", "90", "15.5", "0.000012", "0.250", "—", "2"]


def test_operations_are_counted_in_billions_and_a_dash_is_not_a_zero():
    made = [costly(model=name, cost={"flops": flops}) for name, flops in {"a": 35.2e9, "b": 0, "c": None}.items()]
    table = make_efficiency(runs_of(made), [SHORT])
    assert {row[0]: row[4] for row in rows(table.to_markdown())[1:]} == {"a": "35.2", "b": "0", "c": "—"}
    found = {row["line"]: row["flops"] for row in csv.DictReader(io.StringIO(table.to_csv()))}
    assert (float(found["a"]), float(found["b"]), found["c"]) == (35.2e9, 0.0, "")


def test_runs_of_two_devices_stand_in_two_blocks_that_name_them():
    made = [costly(device="cpu", cost={"train_s": 9.0}), costly(seed=1, device="H200", cost={"train_s": 1.0})]
    table = make_efficiency(runs_of(made), [SHORT])
    assert [block.title.rpartition(", on ")[2] for block in table.blocks] == ["H200", "cpu"]
    assert [row[3] for row in rows(table.to_markdown()) if row[0] == "stid"] == ["1.00", "9.00"]
    assert sorted(table.long["device"]) == ["H200", "cpu"]


def test_a_failed_run_costs_nothing():
    table = make_efficiency(runs_of([record(), record(model="b", failed=True)]), [SHORT])
    assert [row[0] for row in rows(table.to_markdown())] == ["**Cost**", "stid"]


def test_costs_of_earlier_code_are_marked():
    runs = runs_of([record()], {("bikenyc", "stid"): "f" * 12})
    assert rows(make_efficiency(runs, [SHORT]).to_markdown())[1][1] == "100 §"


def test_floors_come_first_and_stand_ins_are_marked():
    table = make_efficiency(runs_of(suite()), [SHORT])
    assert [row[0] for row in rows(table.to_markdown())][1:3] == ["*last_value*", "*window_mean*"]
    assert "taxibj †" in table.to_markdown()


def test_every_step_has_its_mean_over_seeds_and_the_best_are_marked():
    made = [record(mae=1.0), record(seed=1, mae=3.0), record(model="b", mae=1.0)]
    table = make_per_horizon(runs_of(made), [SHORT])
    head, best, other = rows(table.to_markdown())
    assert head == ["**MAE**", *(f"step {step}" for step in range(1, 7))]
    assert best[:3] == ["b", "**0.900**", "**0.940**"]
    assert other[:3] == ["stid", "<u>1.800</u>", "<u>1.88</u>".replace("1.88", "1.880")]
    found = list(csv.DictReader(io.StringIO(table.to_csv())))
    [row] = [row for row in found if (row["line"], row["step"]) == ("stid", "6")]
    assert (float(row["mean"]), float(row["std"]), row["n"]) == (
        pytest.approx(2.2),
        pytest.approx(math.sqrt(2) * 1.1),
        "2",
    )


def test_data_sets_are_blocks_of_their_own():
    table = make_per_horizon(runs_of(suite()), [SHORT])
    assert [block.title.partition(":")[0] for block in table.blocks] == ["bikenyc", "taxibj", "taxinyc"]
    assert "step 1 †" in table.to_markdown()


def test_long_horizons_show_powers_of_two_and_their_end():
    assert shown_steps(6) == [1, 2, 3, 4, 5, 6]
    assert shown_steps(64) == [1, 2, 4, 8, 16, 32, 64]
    assert shown_steps(12) == [1, 2, 4, 8, 12]


@pytest.mark.parametrize("values", [["a", 1.0], [[1.0]], "ab"])
def test_errors_by_step_that_are_no_numbers_are_one_sentence(values):
    made = record()
    made["scores"]["test"]["mae"]["per_step"] = values
    with pytest.raises(StoreError, match=f"the errors by step of the record {made['run_id']} cannot be read"):
        make_per_horizon(runs_of([made]), [SHORT])
