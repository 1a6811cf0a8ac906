"""A glance at a record says what the record says, of every schema, and stumbles over what is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from records import record

from bench.errors import StoreError
from bench.records.glance import glance
from bench.records.record import DoneRun, FailedRun, dump, parse
from bench.records.store import ResultStore


def of_schema_3(*, failed: bool = False) -> bytes:
    """A few-shot run as the schema before had it."""
    values = json.loads(dump(record(task="few10", failed=failed)))
    values["schema"] = 3
    for name in ("windows", "equal_steps"):
        del values["spec"]["task"][name]
    if not failed:
        del values["audit"]["forecasts"], values["counts"]["per_epoch"]
    return json.dumps(values).encode()


@pytest.mark.parametrize("text", [dump(record()), of_schema_3()], ids=["today", "schema 3"])
def test_a_glance_at_a_done_run_says_what_its_record_says(text: bytes) -> None:
    seen, whole = glance(text, "a test"), parse(text, "a test")
    assert isinstance(whole, DoneRun)
    assert seen.status == whole.status == "done"
    for name in ("run_id", "dataset", "model", "spec", "cost", "counts", "scores"):
        assert getattr(seen, name) == getattr(whole, name), name
    assert seen.environment.device == whole.environment.device


@pytest.mark.parametrize("text", [dump(record(failed=True)), of_schema_3(failed=True)], ids=["today", "schema 3"])
def test_a_glance_at_a_failed_run_says_why(text: bytes) -> None:
    seen, made = glance(text, "a test"), parse(text, "a test")
    assert isinstance(made, FailedRun)
    assert (seen.status, seen.spec, seen.error) == ("failed", made.spec, made.error)


def test_a_store_shows_each_run_once_and_done_before_failed(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    for made in (record(failed=True), record(seed=1, failed=True), record()):
        store.write(made)
    assert [(seen.run_id, seen.status) for seen in store.glances()] == [
        (made.run_id, made.status) for made in store.records()
    ]


@pytest.mark.parametrize("text", [b"", dump(record())[:-9], b"[]", b"[" * 100_000, b'{"schema": 99}', b"\x00\xff"])
def test_a_broken_file_is_one_sentence_that_names_it(tmp_path: Path, text: bytes) -> None:
    made = record()
    path = tmp_path / "runs" / made.dataset / made.model / f"{made.run_id}.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    with pytest.raises(StoreError, match="is not a result record") as caught:
        list(ResultStore(tmp_path).glances())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
