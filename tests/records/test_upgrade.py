"""Records of the schema before are read as if they had been made today; of any other they are refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from records import edited

from bench.errors import StoreError
from bench.records.arrays import RULE, stored, values_of
from bench.records.frame import to_frame
from bench.records.record import SCHEMA, DoneRun, FailedRun, dump, parse
from bench.records.store import ResultStore
from bench.records.upgrade import OLD, TODAY

RUN_ID = "0f1e2d3c4b5a6978.0123456789ab"
FAILED = """{
 "schema": 2, "run_id": "0f1e2d3c4b5a6978.0123456789ab", "code": "0123456789ab", "status": "failed", "role": "model",
 "spec": {
  "data": {"name": "bikenyc", "version": "npz-1", "sha256": "dd", "stand_in": false},
  "task": {"name": "long", "protocol": "unist", "history": 64, "horizon": 64, "fraction": 1.0, "leaky_scaler": true,
   "clamp": true},
  "model": "stid", "config": {"width": 32}, "train": {"epochs": 2, "lr": 0.002}, "seed": 7, "weights": "none",
  "tuned": true
 },
 "label": {"profile": "paper", "overrides": {"model.width": 32}, "base": {}},
 "data": {"version": "npz-1", "sha256": "dd", "stand_in": false},
 "weights": "none", "scores": null, "counts": null, "cost": null, "certificate": null, "windows": null,
 "environment": {"libraries": {"torch": "2.5", "numpy": "2.1"}, "commit": null},
 "curve": [],
 "error": {"type": "RuntimeError", "message": "no file \\udcff", "where": "train.py:1"}
}"""
DONE = """{
 "schema": 2, "run_id": "0f1e2d3c4b5a6978.0123456789ab", "code": "0123456789ab", "status": "done", "role": "floor",
 "spec": {
  "data": {"name": "bikenyc", "version": "stand-in-1", "sha256": "dd", "stand_in": true},
  "task": {"name": "short", "protocol": "strict", "history": 6, "horizon": 2, "fraction": 1.0, "leaky_scaler": false,
   "clamp": false},
  "model": "last_value", "config": {}, "train": {"epochs": 60, "lr": 0.002, "precision": "auto"}, "seed": 0,
  "weights": "none"
 },
 "label": {"profile": "quick", "overrides": {}, "base": {}},
 "data": {"version": "stand-in-1", "sha256": "dd", "stand_in": true},
 "weights": "none",
 "scores": {
  "test": {
   "mae": {"overall": 1.25, "per_step": [1.0, 1.5], "per_channel": [1.25]},
   "rmse": {"overall": 2.5, "per_step": [2.0, 3.0], "per_channel": [2.5]},
   "mape": {"overall": null, "per_step": [null, null], "per_channel": [null]}
  },
  "val": {
   "mae": {"overall": 1.0, "per_step": [1.0, 1.0], "per_channel": [1.0]},
   "rmse": {"overall": 2.0, "per_step": [2.0, 2.0], "per_channel": [2.0]}
  }
 },
 "counts": {"train": 2000, "val": 430, "test": 3, "test_values": 72},
 "cost": {"parameters": 0, "trainable_parameters": 0, "flops": 0, "ms_per_window": 0.25, "windows_per_s": 4000.0,
  "peak_mb": 321.5, "train_s": 0, "wall_s": 2.5, "epochs": 0, "work": 4000},
 "certificate": {
  "future_perturbation": {"windows": 8, "largest_change": 0.0},
  "scaler_fitted_on": [0, 2100], "scaler": "standard",
  "split": {"train": [0, 2100], "val": [2100, 2550], "test": [2550, 3000]},
  "origins": {"train": [6, 2098], "val": [2100, 2548], "test": [2550, 2552]},
  "test_reads": 1, "checkpoint_sha256": "cc", "best_epoch": 0
 },
 "windows": {"per_day": 24, "origins": [[2550, 2553]], "count": "AADAQQAAwEEAAMBB", "absolute": "AACAPwAAAEAAAEBA",
  "square": "AACAPwAAgEAAABBB"},
 "environment": {"python": "3.11.7", "system": "Linux x86_64", "device": "cpu", "cuda": null, "threads": 2,
  "torch": "2.5.1+cpu", "numpy": "2.1.0", "libraries": {"torch": "2.5.1", "timm": "1.0"}, "commit": "abc"},
 "curve": [],
 "error": null
}"""

PARTS = ("spec", "spec.data", "spec.task", "environment", "certificate", "scores", "label", "windows", "cost", "counts")
NEEDED = (
    *("spec.data.stand_in", "spec.data.sha256", "spec.task.name", "spec.seed", "code", "role", "status", "run_id"),
    *("environment.device", "scores.val", "cost.work", "cost.wall_s", "windows.count", "curve"),
)


def old(path: str, value: Any = None, *, text: str = DONE, remove: bool = False) -> bytes:
    """A record of the schema before with another value at a dotted path, or without it."""
    return edited(json.loads(text), path, value, remove=remove)


def done(text: str | bytes = DONE) -> DoneRun:
    read = parse(text.encode() if isinstance(text, str) else text, "a test")
    assert isinstance(read, DoneRun)
    return read


def refusal(text: bytes) -> str:
    with pytest.raises(StoreError, match=r"^a test is not a result record") as caught:
        parse(text, "a test")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    return str(caught.value)


def test_a_done_record_of_the_schema_before_has_the_same_scores_and_facts() -> None:
    made, values = done(), json.loads(DONE)
    assert (made.schema, made.run_id, made.code) == (SCHEMA, RUN_ID, "0123456789ab")
    for split, scores in values["scores"].items():
        assert made.scores[split].keys() == scores.keys()
        for metric, score in scores.items():
            kept = made.scores[split][metric]
            assert {"overall": kept.overall, "per_step": kept.per_step, "per_channel": kept.per_channel} == score
    assert (made.score("mae"), made.score("rmse"), made.score("mape"), made.score("r2")) == (1.25, 2.5, None, None)
    assert (made.role, made.naive) == ("naive", True)
    assert (made.spec.data.version, made.spec.data.synthetic) == ("synthetic-1", True)
    assert (made.counts.test_values, made.cost.peak_mb, made.cost.work) == (72, None, 4000.0)
    assert (made.audit.test_reads, made.audit.split.test, made.audit.scaler) == (1, (2550, 3000), "standard")
    assert made.audit.forecasts is None


def test_an_earlier_peak_of_memory_is_kept_where_it_was_that_of_the_run() -> None:
    """On a CPU it was that of a process that had made other runs before."""
    text = DONE.replace('"device": "cpu"', '"device": "NVIDIA H100"')
    assert text != DONE
    made = parse(text.encode(), "a record")
    assert isinstance(made, DoneRun)
    assert made.cost.peak_mb == 321.5


def test_which_weights_an_earlier_record_started_from_is_not_recorded() -> None:
    for text in (old("spec.weights", "pretrained"), old("schema", 3, text=dump(done()).decode())):
        assert done(text).spec.weights_sha256 is None


def test_an_earlier_record_knows_no_channels_and_has_its_scores_over_all_of_them() -> None:
    for text in (DONE.encode(), old("schema", 3, text=dump(done()).decode())):
        made = done(text)
        assert (made.channels, made.cuts) == ([], {"": None})
        assert "MAE 1.25, RMSE 2.5 on test" in str(made)


def test_errors_of_windows_come_back_and_what_was_kept_later_is_none() -> None:
    made = done()
    assert made.windows.starts.tolist() == [2550, 2551, 2552]
    assert values_of(made.windows.count).tolist() == [24.0, 24.0, 24.0]
    assert values_of(made.windows.absolute).tolist() == [1.0, 2.0, 3.0]
    assert values_of(made.windows.square).tolist() == [1.0, 4.0, 9.0]
    assert (made.windows.day, made.forecast_map) == (None, None)


@pytest.mark.parametrize("protocol", ["strict", "unist"])
def test_few_windows_of_the_schemas_before_were_the_first_ones_and_trained_for_few_steps(protocol: str) -> None:
    few = json.loads(old("spec.task.fraction", 0.05))
    few["spec"]["task"]["protocol"] = protocol
    for schema in OLD:
        three = {**json.loads(dump(done())), "schema": 3} if schema == 3 else few
        if schema == 3:
            three["spec"]["task"] = few["spec"]["task"]
            del three["counts"]["per_epoch"]
        made = done(json.dumps(three))
        assert (made.spec.task.windows, made.spec.task.equal_steps) == ("first", False)
        assert (made.spec.task.days_back, made.spec.task.calendar) == ("own", True)
        assert made.counts.per_epoch == made.counts.train == 2000
        assert made.inputs is None


def test_all_windows_of_the_schema_before_are_those_of_today() -> None:
    assert (done().spec.task.windows, done().spec.task.equal_steps) == ("all", True)
    assert done().counts.per_epoch == 2000
    assert done().counts.test_there == done().counts.test
    assert done().spec.task.scored == 0


def test_a_map_of_the_schema_before_comes_back() -> None:
    truth = np.array([[1.0, np.nan]])
    facts = {"origin": 2550, "step": 2, "slot": 7, "per_day": 24, "weekday": 1, "channel": "in", "unit": "trips"}
    arrays = {"truth": stored(truth), "forecast": stored(np.array([[2.0, 3.0]]))}
    texts = {name: base64.b64encode(array).decode() for name, array in arrays.items()}
    made = done(old("sample", {**facts, **texts, "grid": [1, 2], "rule": RULE})).forecast_map
    assert made is not None
    np.testing.assert_array_equal(made.truth_map, truth)
    assert (made.origin, made.unit, made.weekday) == (2550, "trips", 1)


def test_versions_that_stood_beside_the_libraries_are_among_them_with_the_build_of_torch() -> None:
    environment = done().environment
    assert environment.libraries == {"torch": "2.5.1+cpu", "numpy": "2.1.0", "timm": "1.0"}
    assert (environment.device, environment.threads, environment.commit) == ("cpu", 2, "abc")
    assert environment.compiled is False


def test_a_failed_record_of_the_schema_before_keeps_its_reason_without_halves_of_pairs() -> None:
    made = parse(FAILED.encode(), "a test")
    assert isinstance(made, FailedRun)
    assert str(made.error) == "RuntimeError: no file ?"
    assert (made.spec.tuned, made.spec.task.name, made.seed, made.spec.data.version) == (True, "long", 7, "npz-1")
    assert to_frame([made])["error"][0] == "RuntimeError: no file ?"


def test_numbers_and_texts_that_only_pythons_own_reader_holds_are_read() -> None:
    made = done(old("spec.config", {"text": "a lone \ud800", "large": 1e20, "whole": 2**63 - 1}))
    assert made.spec.config == {"text": "a lone ?", "large": 1e20, "whole": 2**63 - 1}


@pytest.mark.parametrize("text", [DONE, FAILED])
def test_an_upgraded_record_is_written_as_one_of_today(text: str) -> None:
    made = parse(text.encode(), "a test")
    assert json.loads(dump(made))["schema"] == SCHEMA == TODAY == max(OLD) + 1
    assert parse(dump(made), "a test") == made


def test_a_store_reads_records_of_both_schemas(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "bikenyc" / "last_value" / f"{RUN_ID}.json"
    path.parent.mkdir(parents=True)
    path.write_text(DONE, encoding="utf-8")
    store = ResultStore(tmp_path)
    assert store.has("bikenyc", "last_value", RUN_ID)
    assert list(store.records()) == [store.read("bikenyc", "last_value", RUN_ID)] == [done()]
    assert not store.write(done())
    assert path.read_text(encoding="utf-8") == DONE


@pytest.mark.parametrize("path", [*NEEDED, *PARTS])
def test_a_record_of_the_schema_before_without_a_key_is_one_sentence_that_names_it(path: str) -> None:
    assert path.rpartition(".")[2] in refusal(old(path, remove=True))


@pytest.mark.parametrize("value", [None, 5, "x", [], 10**30, True])
@pytest.mark.parametrize("path", [*PARTS, "spec.data.version", "environment.libraries"])
def test_a_value_of_the_wrong_type_in_the_schema_before_is_one_sentence(path: str, value: Any) -> None:
    if path != "spec.data.version" or value != "x":
        refusal(old(path, value))


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, float("nan"), float("inf")])
def test_a_number_that_no_record_may_hold_is_refused_in_the_schema_before(value: float) -> None:
    assert "result record" in refusal(old("spec.config", {"width": [value]}))
    assert "result record" in refusal(old("label.overrides", {"width": value}))


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (SCHEMA + 1, "its schema 5 is of a newer version of the harness"),
        (99, "its schema 99 is of a newer version"),
        (10**50, "is of a newer version"),
        (1, "its schema 1 is unknown"),
        (0, "its schema 0 is unknown"),
        (-1, "its schema -1 is unknown"),
        ("3", "its schema '3' is unknown"),
        ("\n" * 9000, "is unknown"),
        (None, "its schema None is unknown"),
        (True, "its schema True is unknown"),
        ([[[]]], "its schema [[[]]] is unknown"),
    ],
)
def test_another_schema_is_one_sentence_that_says_so(schema: Any, reason: str) -> None:
    assert reason in refusal(old("schema", schema))
    assert reason in refusal(json.dumps({"schema": schema}).encode())


def test_a_text_without_a_schema_is_one_sentence_that_says_so() -> None:
    assert "it lacks `$.schema`" in refusal(old("schema", remove=True))
    assert "it lacks `$.schema`" in refusal(b"{}")


def test_a_hostile_text_of_the_schema_before_is_one_sentence() -> None:
    for config in (b"[" * 100_000, b"[" * 900 + b"]" * 900, b"9" * 5000, b"1e999", b"NaN", b'{"a": "\xff"}'):
        refusal(DONE.encode().replace(b'"config": {}', b'"config": {"a": ' + config + b"}"))
        refusal(FAILED.encode().replace(b'"config": {"width": 32}', b'"config": {"a": ' + config + b"}"))
