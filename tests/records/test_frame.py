from __future__ import annotations

import math
import random
from pathlib import Path

import pandas as pd
import pytest
from records import CODE, record, suite

import bench
from bench.errors import StoreError
from bench.records.frame import COLUMNS, frame_from_records, mark_stale
from bench.records.store import ResultStore

OLD = "0" * 12


def test_a_frame_has_the_same_columns_and_types_with_and_without_rows() -> None:
    full, empty = frame_from_records(suite()), frame_from_records([])
    assert list(full.columns) == list(empty.columns) == list(COLUMNS)
    assert full.dtypes.equals(empty.dtypes)


def test_a_row_says_what_the_record_says() -> None:
    made = record(seed=3, mae=1.5, overrides={"model.width": 64, "model.act": "gelu"}, leaky_scaler=True)
    row = frame_from_records([made]).iloc[0]
    assert (row.run_id, row.spec_id, row.code) == (made["run_id"], made["run_id"][:16], CODE)
    assert (row.dataset, row.model, row.seed, row.task, row.horizon) == ("bikenyc", "stid", 3, "short", 6)
    assert row.changes == ("model.act=gelu", "model.width=64")
    assert (row.test_mae, row.val_rmse, row.epochs, row.leaky_scaler) == (1.5, 4.5, 2, True)
    assert row.test_mae_steps == tuple(made["scores"]["test"]["mae"]["per_step"])
    assert math.isnan(row.peak_mb)


def test_a_failed_run_is_a_row_with_its_reason_and_no_scores() -> None:
    row = frame_from_records([record(failed=True)]).iloc[0]
    assert (row.status, row.error) == ("failed", "TrainingError: the loss is NaN")
    assert math.isnan(row.test_mae)
    assert row.test_mae_steps == ()


def test_settings_are_equal_exactly_when_data_and_seed_alone_differ() -> None:
    made = [record(), record(seed=1), record("taxibj"), record(epochs=3), record(task="long")]
    one, seed, data, epochs, task = (frame_from_records([each]).settings[0] for each in made)
    assert one == seed == data
    assert len({one, epochs, task}) == 3


def test_a_frame_does_not_depend_on_the_order_of_records() -> None:
    made = suite()
    shuffled = random.Random(0).sample(made, len(made))
    pd.testing.assert_frame_equal(frame_from_records(made), frame_from_records(shuffled))


def test_a_record_without_a_needed_key_is_one_sentence() -> None:
    made = record()
    del made["spec"]["task"]["protocol"]
    with pytest.raises(StoreError, match=f"{made['run_id']} has no usable 'protocol'"):
        frame_from_records([made])


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("spec", "seed", 99999999999999999999999),
        ("spec", "seed", "one"),
        ("spec", "model", 5),
        ("data", "stand_in", "false"),
        ("counts", "test", 10**400),
        ("cost", "train_s", "long"),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_one_sentence(part: str, key: str, value: object) -> None:
    made = record()
    made[part] = made[part] | {key: value}
    with pytest.raises(StoreError, match=f"{made['run_id']} has no usable '.*{key}.*wanted") as caught:
        frame_from_records([record(seed=1), made])
    assert len(str(caught.value)) < 250


def test_half_of_a_surrogate_pair_is_told_in_a_reason_and_refused_in_a_name() -> None:
    made = record(failed=True)
    made["error"]["message"] = "no file \udcff"
    assert frame_from_records([made])["error"][0] == "TrainingError: no file ?"
    made["role"] = "\udcff"
    with pytest.raises(StoreError, match=f"{made['run_id']} has no usable 'role'"):
        frame_from_records([made])


def test_a_row_is_stale_when_its_code_is_not_todays() -> None:
    frame = frame_from_records([record(code=OLD), record(seed=1), record(model="gone", code=OLD)])
    marked = mark_stale(frame, {("bikenyc", "stid"): CODE})
    assert dict(zip(marked.run_id, marked.stale, strict=True)) == {
        record(code=OLD)["run_id"]: True,
        record(seed=1)["run_id"]: False,
        record(model="gone", code=OLD)["run_id"]: False,
    }
    assert "stale" not in frame


def test_the_package_loads_the_frame_of_a_results_folder(tmp_path: Path) -> None:
    for made in suite():
        ResultStore(tmp_path).write(made)
    pd.testing.assert_frame_equal(bench.load_frame(tmp_path), frame_from_records(suite()))
    assert len(bench.load_frame(tmp_path / "nowhere")) == 0


def test_the_learning_curve_is_a_column_for_each_of_its_values_and_nested_parts_are_sorted_items():
    made = record(epochs=2)
    made["curve"][0].pop("lr")  # as in a record whose first epoch did not say it
    row = frame_from_records([made]).iloc[0]
    curve = dict(row["curve"])
    assert curve["epoch"] == (1, 2)
    assert curve["lr"] == (None, 0.002)
    assert dict(row["environment"]) == made["environment"]
    assert dict(row["certificate"]) == made["certificate"]
    assert row["sample"] == ()  # older records keep none


def test_a_failed_run_has_neither_curve_nor_certificate():
    row = frame_from_records([record(failed=True)]).iloc[0]
    assert (row["curve"], row["certificate"], row["windows"]) == ((), (), ())
