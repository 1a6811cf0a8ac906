"""What other measures say of the rows of a comparison: its size by each of them, and whether each run says it."""

from __future__ import annotations

import pytest
from msgspec import structs
from records import results_of
from variants import variant

from bench.analysis.table import MINUS

REFERENCE = (1.0, 2.0, 3.0)


def made(weights, *, order=(0, 1, 2), **measured):
    """Three runs whose errors on a part, such as ``val_mae``, are those given, and 1, 2 and 3 else."""
    runs = []
    for seed in order:
        run = variant(1.0, weights=weights, seed=seed, profile="reference")
        errors = {
            (part, metric): measured.get(f"{part}_{metric}", REFERENCE)[seed]
            for part in ("test", "val")
            for metric in ("mae", "rmse")
        }
        scores = {
            part: {
                metric: structs.replace(score, overall=errors.get((part, metric), score.overall))
                for metric, score in known.items()
            }
            for part, known in run.scores.items()
        }
        runs.append(structs.replace(run, scores=scores))
    return runs


def measures(records, suite="controls"):
    return [table for table in results_of(records).table(suite).tables if table.key == "measures"]


def test_each_measure_has_the_difference_of_means_and_whether_each_run_is_below_or_above():
    random = made("random", test_mae=(0.5, 0.6, 0.7), test_rmse=(3.1, 4.0, 5.9), val_mae=(1.1, 2.0, 2.9))
    (table,) = measures([*made("pretrained"), *random])
    assert table.corner.endswith("MAE on test / RMSE on test / MAE on validation / RMSE on validation")
    assert [row.text for row in table.rows] == ["random, frozen ‡"]
    ((cell,),) = table.cells
    assert cell.value == f"{MINUS}70.0↓ / +116.7↑ / 0.0 / 0.0"
    assert table.heading.startswith(
        "What other measures say. Does the pre-trained vision model matter? Difference from"
    )
    assert table.notes[0].startswith("No verdict is drawn from these: MAE on test was declared")


@pytest.mark.parametrize(("below", "arrow"), [(0.99, "↓"), (1.0, ""), (1.01, "")])
def test_a_run_that_is_not_below_each_of_the_reference_is_no_order(below, arrow):
    (table,) = measures([*made("pretrained"), *made("random", test_mae=(0.1, 0.2, below))])
    first = table.cells[0][0].value.split(" / ")[0]
    assert first.strip("0123456789.+" + MINUS) == arrow


@pytest.mark.parametrize("few", ["pretrained", "random"])
def test_of_fewer_runs_no_order_is_told(few):
    order = {few: (0, 1)}
    runs = [
        *made("pretrained", order=order.get("pretrained", (0, 1, 2))),
        *made("random", order=order.get("random", (0, 1, 2)), test_mae=(0.5, 0.6, 0.7)),
    ]
    (table,) = measures(runs)
    assert "↓" not in table.cells[0][0].value


def test_a_mean_is_told_and_no_median():
    random = made("random", test_mae=(1.0, 1.0, 7.0))
    (table,) = measures([*made("pretrained"), *random])
    assert table.cells[0][0].value.startswith("+50.0 / ")
    (table,) = measures([*made("pretrained", test_mae=(1.0, 1.0, 7.0)), *made("random")])
    assert table.cells[0][0].value.startswith(f"{MINUS}33.3 / ")


def test_a_row_that_failed_is_marked_and_not_called_not_run():
    shared = {"profile": "reference", "dataset": "taxinyc"}
    runs = [*made("pretrained"), *made("random")]
    for seed in range(3):
        runs += [
            variant(1.0 + seed, weights="pretrained", seed=seed, **shared),
            variant(1.0 + seed, weights="random", seed=seed, failed=True, **shared),
            variant(1.5, "identity", seed=seed, **shared),
        ]
    (table,) = measures(runs)
    cells = {header.text: row for header, row in zip(table.rows, table.cells, strict=True)}
    assert [cell.flags for cell in cells["random, frozen ‡"]] == [(), ("failed",)]
    assert [cell.flags for cell in cells["no backbone"]] == [("missing",), ()]


def test_a_suite_that_compares_models_has_none_of_it():
    runs = [*made("pretrained"), *made("random")]
    assert measures(runs, "short_term") == []
    assert measures(made("pretrained")) == []


def test_each_row_is_measured_against_the_reference_of_its_own_weights():
    records = []
    for weights, whole, part in (("pretrained", 2.0, 1.5), ("random", 1.0, 1.5)):
        for seed in range(3):
            same = {"weights": weights, "seed": seed, "profile": "reference"}
            records += [variant(whole, **same), variant(part, overrides={"model.flow": False}, **same)]
    (table,) = measures(records, "ablation")
    found = {row.text: cells[0].value.split(" / ")[0] for row, cells in zip(table.rows, table.cells, strict=True)}
    assert found == {"without flow (pretrained) ¶": f"{MINUS}25.0↓", "without flow (random) ‡": "+50.0↑"}
