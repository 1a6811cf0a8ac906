from __future__ import annotations

import math
import random
from pathlib import Path

import pandas as pd
from records import CODE, record, results_of, suite

import bench
from bench.records.frame import COLUMNS, to_frame
from bench.records.store import ResultStore

OLD = "0" * 12


def test_a_frame_has_the_same_columns_and_types_with_and_without_rows() -> None:
    full, empty, failed = to_frame(suite()), to_frame([]), to_frame([record(failed=True)])
    assert list(full.columns) == list(empty.columns) == list(failed.columns) == list(COLUMNS)
    assert full.dtypes.equals(empty.dtypes)
    assert full.dtypes.equals(failed.dtypes)
    assert to_frame([], []).dtypes.equals(to_frame(suite(), [False] * len(suite())).dtypes)


def test_a_row_says_what_the_record_says() -> None:
    made = record(seed=3, mae=1.5, overrides={"model.width": 64, "model.act": "gelu"}, leaky_scaler=True)
    row = to_frame([made]).iloc[0]
    assert (row.run_id, row.status, row.error) == (made.run_id, "done", "")
    assert (row.dataset, row.model, row.seed, row.task, row.horizon) == ("bikenyc", "stid", 3, "short", 6)
    assert row.changes == "model.act=gelu, model.width=64"
    assert (row.test_mae, row.val_rmse, row.epochs, row.leaky_scaler) == (1.5, 4.5, 2, True)
    assert (row.train_windows, row.val_windows, row.test_windows) == (2000, 430, 240)
    assert (row.parameters, row.train_s, row.peak_mb, row.device) == (100, 1.5, 321.0, "cpu")
    assert (row.naive, row.synthetic, row.tuned, row.clamp) == (False, False, False, False)


def test_a_score_that_nothing_was_counted_for_is_not_a_number() -> None:
    assert math.isnan(to_frame([record(mae=math.nan)]).test_mae[0])


def test_a_failed_run_is_a_row_with_its_reason_and_no_scores() -> None:
    row = to_frame([record(failed=True)]).iloc[0]
    assert (row.status, row.error) == ("failed", "TrainingError: the loss is NaN")
    assert math.isnan(row.test_mae)
    assert math.isnan(row.parameters)


def test_a_frame_does_not_depend_on_the_order_of_records() -> None:
    made = suite()
    shuffled = random.Random(0).sample(made, len(made))
    pd.testing.assert_frame_equal(to_frame(made), to_frame(shuffled))


def test_a_row_is_stale_when_its_code_is_not_todays() -> None:
    made = [record(code=OLD), record(seed=1), record(model="gone", code=OLD)]
    marked = results_of(made, {("bikenyc", "stid"): CODE}).frame
    assert dict(zip(marked.run_id, marked.stale, strict=True)) == {
        record(code=OLD).run_id: True,
        record(seed=1).run_id: False,
        record(model="gone", code=OLD).run_id: False,
    }
    assert "stale" not in to_frame(made)


def test_marks_follow_their_rows_whatever_the_order() -> None:
    made = [record(seed=1), record(seed=0)]
    assert to_frame(made, [True, False]).stale.tolist() == [False, True]


def test_the_package_loads_the_frame_of_a_results_folder(tmp_path: Path) -> None:
    for made in suite():
        ResultStore(tmp_path).write(made)
    pd.testing.assert_frame_equal(bench.load_results(tmp_path).frame[list(COLUMNS)], to_frame(suite()))
    (tmp_path / "empty").mkdir()
    assert len(bench.load_results(tmp_path / "empty").frame) == 0
