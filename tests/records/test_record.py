"""The text of a record: what it must hold, and what is refused before it is written or after it was read."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import edited, record

from bench.errors import StoreError
from bench.records.plain import DEEPEST
from bench.records.record import SCHEMA, DoneRun, dump, parse

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def changed(path: str, value: Any = None, *, remove: bool = False, failed: bool = False) -> bytes:
    """The text of a record with another value at a dotted path, or without it."""
    return edited(json.loads(dump(record(failed=failed))), path, value, remove=remove)


def refusal(text: bytes) -> str:
    """The one sentence with which a text is refused, without its source."""
    with pytest.raises(StoreError, match=r"^a test is not a result record") as caught:
        parse(text, "a test")
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert len(sentence) < 400
    return sentence


def as_told(path: str) -> str:
    """A path as msgspec tells it: names of splits and metrics, which are not the record's own, are "..."."""
    parts = path.split(".")
    return "".join(f".{part}" if part not in ("test", "val", "mae", "rmse") else "[...]" for part in ["$", *parts])[1:]


@given(json_values)
def test_text_and_record_determine_each_other(value: Any) -> None:
    made = record(overrides={"notes": value})
    assert parse(dump(made), "a test") == made
    assert dump(parse(dump(made), "a test")) == dump(made)


def test_a_text_has_sorted_keys_a_line_for_each_value_and_an_end() -> None:
    text = dump(record())
    assert json.loads(text)["schema"] == SCHEMA
    assert text.decode() == json.dumps(json.loads(text), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def test_a_whole_number_where_a_float_is_wanted_gives_the_same_text_as_the_float() -> None:
    made = record()
    whole = msgspec.structs.replace(made, cost=msgspec.structs.replace(made.cost, work=4000))
    assert dump(whole) == dump(parse(dump(whole), "a test")) == dump(made)


def test_a_setting_of_several_values_is_kept_as_a_list() -> None:
    made = record(overrides={"model.sizes": (1, 2, (3,))})
    assert parse(dump(made), "a test").spec.config["model.sizes"] == [1, 2, [3]]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, 10**400])
@pytest.mark.parametrize("key", ["$.spec.config.notes[1].a[0]", "$.label.overrides.notes[1].a[0]"])
def test_a_whole_number_beyond_64_bits_is_refused_before_a_reader_rounds_it(value: int, key: str) -> None:
    nested = record(overrides={"notes": ["x", {"a": (value,)}]})
    part = "spec" if "spec" in key else "label"
    made = msgspec.structs.replace(record(), **{part: getattr(nested, part)})
    with pytest.raises(StoreError) as caught:
        dump(made)
    assert f"needs more than 64 bits - at `{key}`" in str(caught.value)
    text = dump(record(overrides={"notes": [2**63 - 1]}))
    assert "64 bits" in refusal(text.replace(str(2**63 - 1).encode(), str(value).encode()))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "key", ["spec.config.width", "label.base.width", "cost.wall_s", "scores.test.mae.overall", "curve.0.lr", "curve.1"]
)
def test_a_number_that_is_not_finite_is_refused_when_written(key: str, value: float) -> None:
    made = record(overrides={"width": 1.0})
    part, *rest = key.split(".")
    parts = {
        "spec": msgspec.structs.replace(made.spec, config={"width": value}),
        "label": msgspec.structs.replace(made.label, base={"width": value}),
        "cost": msgspec.structs.replace(made.cost, wall_s=value),
        "scores": {
            **made.scores,
            "test": {**made.scores["test"], "mae": msgspec.structs.replace(made.scores["test"]["mae"], overall=value)},
        },
        "curve": [
            msgspec.structs.replace(row, **({"lr": value} if rest[0] == "0" else {"val_mae": value}))
            for row in made.curve
        ],
    }
    with pytest.raises(StoreError, match=rf"cannot be stored \({value} is not finite - at `\$\.{part}"):
        dump(msgspec.structs.replace(made, **{part: parts[part]}))


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"a": "half \ud800"}, "a text cannot be written as UTF-8 - at `$.spec.config.a`"),
        ({"a": {"\ud800": 1}}, "a text cannot be written as UTF-8 - at `$.spec.config.a`"),
        ({"a": {1: 2}}, "a key is of the type int - at `$.spec.config.a`"),
        ({"a": object()}, "Encoding objects of type object is unsupported"),
    ],
)
def test_a_value_that_no_text_can_hold_is_refused_when_written(overrides: dict[str, Any], reason: str) -> None:
    plain = record()
    made = msgspec.structs.replace(plain, spec=msgspec.structs.replace(plain.spec, config=overrides))
    with pytest.raises(StoreError, match="cannot be stored") as caught:
        dump(made)
    assert reason in str(caught.value)


def test_values_nested_too_deep_are_refused_when_written_and_when_read() -> None:
    nested: Any = 1
    for _ in range(DEEPEST + 1):
        nested = [nested]
    with pytest.raises(StoreError, match="nested deeper than 32 levels"):
        dump(record(overrides={"a": nested}))
    assert "nested deeper" in refusal(changed("spec.config.a", nested))


def test_a_value_of_another_type_than_its_keys_is_refused_when_written() -> None:
    made = record()
    with pytest.raises(StoreError, match=r"Expected `float`, got `str` - at `\$\.cost\.wall_s`"):
        dump(msgspec.structs.replace(made, cost=msgspec.structs.replace(made.cost, wall_s="long")))


EVERY = ["data.name", "data.sha256", "data.synthetic", "model", "seed", "task.name"]
SCORES = [f"scores.{split}.{metric}.overall" for split in ("test", "val") for metric in ("mae", "rmse")]
OTHERS = ["scores.val", "counts", "cost.work", "cost.wall_s", "environment.device", "audit", "curve", "windows"]
MORE = ["schema", "status", "run_id", "code", "role", "label", "scores.test.mae", "scores.val.rmse", "spec.task"]


@pytest.mark.parametrize("path", [*(f"spec.{path}" for path in EVERY), *SCORES, *OTHERS, *MORE])
def test_a_done_record_without_a_key_that_readers_need_is_not_read(path: str) -> None:
    parent, _, last = path.rpartition(".")
    sentence = refusal(changed(path, remove=True))
    missing = f"missing required field `{last}`{f' - at `{as_told(parent)}`' if parent else ''}"
    assert missing in sentence or f"it lacks `$.{path}" in sentence


def test_a_record_that_was_made_before_windows_could_be_left_out_says_that_all_were_scored() -> None:
    values = json.loads(dump(record(seed=3)))
    del values["spec"]["task"]["scored"], values["counts"]["val_there"], values["counts"]["test_there"]
    earlier = parse(json.dumps(values).encode(), "earlier")
    assert earlier.spec.task.scored == 0
    assert (earlier.counts.val_there, earlier.counts.test_there) == (0, 0)


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_a_done_record_without_a_score_that_readers_need_cannot_be_made(metric: str) -> None:
    made = record()
    scores = {split: {n: s for n, s in named.items() if n != metric} for split, named in made.scores.items()}
    with pytest.raises(ValueError, match=rf"it lacks `\$\.scores\.test\.{metric}`"):
        msgspec.structs.replace(made, scores=scores)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("scores", {}),
        ("scores", None),
        ("scores.test", []),
        ("scores.test.mae", 1.25),
        ("scores.test.mae.per_step", {}),
        ("counts", None),
        ("counts.test_values", 10**400),
        ("audit", None),
        ("audit.scaler_fitted_on", [1, 2, 3]),
        ("cost.work", "much"),
        ("cost.wall_s", True),
        ("cost.train_s", "long"),
        ("cost.parameters", 2**63),
        ("spec.seed", 1.5),
        ("spec.seed", True),
        ("spec.seed", "one"),
        ("spec.seed", 99999999999999999999999),
        ("spec.model", 5),
        ("spec.task.horizon", 99999999999999999999999),
        ("spec.train.epochs", 2**64),
        ("spec.weights", "some"),
        ("spec.data.synthetic", "no"),
        ("spec.data.synthetic", "false"),
        ("environment.device", 0),
        ("role", "\n"),
        ("status", "maybe"),
        ("forecast_map", "a map"),
        ("curve", [5]),
    ],
)
def test_a_value_of_the_wrong_type_is_one_sentence_that_names_its_key(path: str, value: Any) -> None:
    assert as_told(path) in refusal(changed(path, value))


def test_a_key_that_nobody_knows_is_one_sentence_even_if_its_name_is_odd() -> None:
    assert "unknown field `a b`" in refusal(changed("a\nb", 1))
    assert "unknown field" in refusal(changed("x" * 10_000, 1))
    assert "unknown field `spead` - at `$.cost`" in refusal(changed("cost.spead", 1))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[" * 100_000, id="deep lists"),
        pytest.param(b'{"a":' * 100_000, id="deep objects"),
        pytest.param(b'{"spec": ' + b"[" * 100_000, id="deep inside"),
        pytest.param(b'{"spec": {"config": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}}", id="rather deep"),
        pytest.param(b"\x00\xff", id="binary"),
        pytest.param(b'{"a": "\xff"}', id="no UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', id="half of a pair"),
        pytest.param(b'{"schema": 4, "run_id": "\\udfff"}', id="half of a pair in a record"),
        pytest.param(b'{"schema": ' + b"9" * 5000 + b"}", id="a huge schema"),
        pytest.param(b'{"schema": 1e999}', id="an infinite schema"),
        pytest.param(b'{"schema": NaN}', id="no number"),
        pytest.param(dump(record())[:-9], id="cut"),
        pytest.param(dump(record()).replace(b"1.25", b"NaN"), id="NaN"),
        pytest.param(dump(record()).replace(b"1.25", b"1e999"), id="infinity"),
        pytest.param(dump(record()).replace(b"1.25", b"9" * 5000), id="a huge score"),
        pytest.param(dump(record()).replace(b'"width": 32', b'"width": ' + b"9" * 5000), id="a huge setting"),
        pytest.param(dump(record()).replace(b'"width": 32', b'"width": "\\ud800"'), id="half of a pair in a setting"),
        pytest.param(dump(record()).replace(b'"width": 32', b'"width": ' + b"[" * 10**6), id="a deep setting"),
    ],
)
def test_a_hostile_text_is_one_sentence(text: bytes) -> None:
    refusal(text)


def test_a_failed_record_needs_its_reason_and_no_scores() -> None:
    failed = record(failed=True)
    assert parse(dump(failed), "a test") == failed
    assert "$.error" in refusal(changed("error", None, failed=True))
    assert "missing required field `type` - at `$.error`" in refusal(changed("error.type", remove=True, failed=True))
    assert "unknown field `scores`" in refusal(changed("scores", {}, failed=True))


def test_a_score_that_nothing_was_counted_for_is_null() -> None:
    made = parse(changed("scores.test.rmse.overall", None), "a test")
    assert isinstance(made, DoneRun)
    assert made.score("rmse") is None
    assert parse(dump(made), "a test") == made


def test_a_metric_that_was_added_after_a_run_has_no_score() -> None:
    made = parse(changed("scores.test.r2", remove=True), "a test")
    assert isinstance(made, DoneRun)
    assert made.score("r2") is None


def test_settings_are_equal_exactly_when_data_and_seed_alone_differ() -> None:
    made = [record(), record(seed=1), record("taxibj"), record(epochs=3), record(task="long")]
    plain, seed, data, epochs, task = (one.spec.settings_id for one in made)
    assert plain == seed == data
    assert len({plain, epochs, task}) == 3


def test_an_id_names_everything_that_was_asked_and_survives_the_text() -> None:
    made = [record(), record(seed=1), record("taxibj"), record(epochs=3), record(tuned=True), record(sha256="e" * 64)]
    assert len({one.spec.spec_id for one in made}) == len(made)
    for one in made:
        assert parse(dump(one), "a test").spec.spec_id == one.spec.spec_id


def test_a_specification_that_says_nothing_new_has_the_id_that_it_had_before_its_later_keys_were_there() -> None:
    spec = record().spec
    values = json.loads(msgspec.json.encode(spec))
    later = (values.pop(name) for name in ("weights_sha256", "tuned_with", "forecasts_sha256", "sources"))
    assert [*later] == [None, "", None, []]
    assert [values["task"].pop(name) for name in ("sources", "scaler")] == ["", "train"]
    text = msgspec.json.encode(values, order="sorted")
    assert spec.spec_id == hashlib.sha256(text).hexdigest()[:16]
    for later in ({"weights_sha256": "f" * 64}, {"tuned_with": "4 trials"}):
        other = msgspec.structs.replace(spec, **later)
        assert other.spec_id != spec.spec_id
        assert other.settings_id != spec.settings_id
