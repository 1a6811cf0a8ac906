"""The text of a record: what it must hold, and what is refused before it is written or after it was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import record

from bench.errors import StoreError
from bench.records.store import ResultStore, dump_record, parse_record

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_text_and_record_determine_each_other(value: Any) -> None:
    made = record() | {"notes": value}
    assert parse_record(dump_record(made), "a test") == made
    assert dump_record(parse_record(dump_record(made), "a test")) == dump_record(made)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, 10**400])
def test_a_whole_number_beyond_64_bits_is_refused_before_a_reader_rounds_it(value: int) -> None:
    with pytest.raises(StoreError, match="needs more than 64 bits"):
        dump_record(record() | {"notes": ["\ud800", {"a": (value,)}]})
    text = dump_record(record() | {"notes": [2**63 - 1]})
    with pytest.raises(StoreError, match="a test is not a result record"):
        parse_record(text.replace(str(2**63 - 1), str(10**400)), "a test")


def test_numbers_that_only_pythons_own_reader_holds_are_read_as_they_are() -> None:
    made = record()
    made["spec"]["config"]["text"] = "a lone \ud800"
    made["curve"][0]["lr"] = 1e20
    assert parse_record(dump_record(made), "a test") == made


def changed(made: dict[str, Any], path: str, value: Any = None, *, remove: bool = False) -> dict[str, Any]:
    """A copy with another value at a dotted path, or without it."""
    copy: dict[str, Any] = json.loads(json.dumps(made))
    *parents, last = path.split(".")
    inner = copy
    for key in parents:
        inner = inner[key]
    if remove:
        del inner[last]
    else:
        inner[last] = value
    return copy


EVERY = ["data.name", "data.sha256", "data.stand_in", "model", "seed", "task.name"]
SCORES = [f"scores.{split}.{metric}.overall" for split in ("test", "val") for metric in ("mae", "rmse")]
OTHERS = ["scores.val", "counts", "cost.work", "cost.wall_s", "environment.device", "certificate", "curve"]


@pytest.mark.parametrize("path", [*(f"spec.{path}" for path in EVERY), *SCORES, *OTHERS])
def test_a_done_record_without_a_key_that_readers_need_is_neither_written_nor_read(tmp_path: Path, path: str) -> None:
    broken = changed(record(), path, remove=True)
    with pytest.raises(StoreError, match=f"it lacks {path.replace('.', '[.]')}"):
        parse_record(json.dumps(broken), "a test")
    with pytest.raises(StoreError, match="it lacks"):
        ResultStore(tmp_path).write(broken)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("scores", {}),
        ("scores", None),
        ("counts", None),
        ("certificate", None),
        ("cost.work", "much"),
        ("cost.wall_s", True),
        ("spec.seed", 1.5),
        ("spec.seed", True),
        ("spec.seed", 99999999999999999999999),
        ("spec.data.stand_in", "no"),
        ("environment.device", 0),
    ],
)
def test_a_value_of_the_wrong_kind_is_one_sentence(path: str, value: Any) -> None:
    with pytest.raises(StoreError, match=path) as caught:
        parse_record(json.dumps(changed(record(), path, value)), "a test")
    assert "\n" not in str(caught.value)


def test_a_failed_record_needs_its_reason_and_no_scores() -> None:
    failed = record(failed=True)
    assert parse_record(dump_record(failed), "a test") == failed
    with pytest.raises(StoreError, match=r"it lacks error\.type"):
        parse_record(json.dumps(failed | {"error": None}), "a test")


def test_a_score_that_nothing_was_counted_for_is_null() -> None:
    made = changed(record(), "scores.test.rmse.overall", None)
    assert parse_record(dump_record(made), "a test") == made
