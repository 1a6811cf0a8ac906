from __future__ import annotations

import errno
import json
import math
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from filelock import Timeout
from records import record, suite

from bench.errors import StoreError
from bench.records.record import Failure, Record, dump, parse
from bench.records.store import ResultStore


def path_of(results: Path, made: Record, ending: str = ".json") -> Path:
    return results / "runs" / made.dataset / made.model / f"{made.run_id}{ending}"


def address(made: Record) -> tuple[str, str, str]:
    return made.dataset, made.model, made.run_id


def with_number(number: Any) -> Record:
    """A record with this as the rate of its first epoch."""
    made = record()
    curve = [msgspec.structs.replace(made.curve[0], lr=number), *made.curve[1:]]
    replaced: Record = msgspec.structs.replace(made, curve=curve)
    return replaced


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store, made = ResultStore(tmp_path), record(mae=0.1 + 0.2)
    assert not store.has(*address(made))
    assert store.write(made)
    assert store.has(*address(made))
    assert store.read(*address(made)) == made
    assert list(store.records()) == [made]


def test_a_file_has_sorted_keys_and_nothing_else_stays_beside_it(tmp_path: Path) -> None:
    made = record()
    ResultStore(tmp_path).write(made)
    assert [path for path in (tmp_path / "runs").rglob("*") if path.is_file()] == [path_of(tmp_path, made)]
    text = path_of(tmp_path, made).read_text()
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1) + "\n"


def test_a_done_run_is_never_overwritten(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert store.write(record(mae=1.0))
    assert not store.write(record(mae=2.0))
    assert not store.write(record(failed=True))
    assert list(store.records()) == [record(mae=1.0)]


def test_a_failed_run_is_replaced_by_the_next_and_removed_by_success(tmp_path: Path) -> None:
    store, failed, done = ResultStore(tmp_path), record(failed=True), record()
    assert store.write(failed)
    assert not store.has(*address(failed))
    again = msgspec.structs.replace(failed, error=Failure(type="DataError", message="gone"))
    assert store.write(again)
    assert store.read(*address(failed)) == again
    assert list(store.records()) == [again]
    assert store.write(done)
    assert list(store.records()) == [done]
    assert not path_of(tmp_path, done, ".failed.json").exists()


def test_a_failure_that_lost_a_race_against_success_is_not_loaded(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(record())
    path_of(tmp_path, record(), ".failed.json").write_bytes(dump(record(failed=True)))
    assert list(store.records()) == [record()]


def test_retired_records_are_kept_and_not_loaded(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    assert store.retire(*address(record())) is None
    kept = []
    for mae in (1.0, 2.0):
        store.write(record(mae=mae))
        kept.append(store.retire(*address(record())))
    assert not store.has(*address(record()))
    assert list(store.records()) == []
    assert [parse(path.read_bytes(), path) for path in kept if path] == [record(mae=1.0), record(mae=2.0)]


def test_records_come_in_the_same_order_whatever_the_order_of_writing(tmp_path: Path) -> None:
    made = suite(seeds=2)
    for name, order in (("a", made), ("b", made[::-1])):
        for one in order:
            ResultStore(tmp_path / name).write(one)
    first, second = (list(ResultStore(tmp_path / name).records()) for name in "ab")
    assert first == second
    assert len(first) == len(made)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, "fast", None])
def test_a_number_that_is_not_finite_is_refused_and_leaves_no_file(tmp_path: Path, number: Any) -> None:
    with pytest.raises(StoreError, match=r"the record \S+ cannot be stored .* at `\$\.curve"):
        ResultStore(tmp_path).write(with_number(number))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("overrides", [{"a": 2**63}, {"a": math.nan}, {"a": "\ud800"}])
def test_a_setting_that_no_text_can_hold_is_refused_and_leaves_no_file(
    tmp_path: Path, overrides: dict[str, Any]
) -> None:
    plain = record()
    for made in (
        msgspec.structs.replace(plain, spec=msgspec.structs.replace(plain.spec, config=overrides)),
        msgspec.structs.replace(plain, label=msgspec.structs.replace(plain.label, overrides=overrides)),
    ):
        with pytest.raises(StoreError, match=r"the record \S+ cannot be stored"):
            ResultStore(tmp_path).write(made)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(dump(record())[:-9], "", id="cut"),
        pytest.param(b"[]", "", id="a list"),
        pytest.param(b'{"schema": 2}', "spec", id="incomplete, of the schema before"),
        pytest.param(b'{"schema": 4}', "status", id="incomplete"),
        pytest.param(b"\x00\xff", "", id="binary"),
        pytest.param(dump(record()).replace(b"1.25", b"NaN"), "", id="NaN"),
        pytest.param(dump(record()).replace(b"1.25", b"1e999"), "$.scores", id="infinity"),
        pytest.param(b"[" * 100_000, "", id="deep"),
        pytest.param(dump(record()).replace(b'"schema": 4', b'"schema": 99'), "schema 99", id="newer schema"),
        pytest.param(dump(record()).replace(b'map": null', b'map": "a"'), "$.forecast_map", id="a map in words"),
        pytest.param(dump(record()).replace(b"done", b"maybe"), "$.status", id="odd status"),
    ],
)
def test_a_broken_file_is_one_sentence_that_names_it(tmp_path: Path, text: bytes, key: str) -> None:
    store, made = ResultStore(tmp_path), record()
    store.write(made)
    path_of(tmp_path, made).write_bytes(text)
    with pytest.raises(StoreError, match="is not a result record") as caught:
        list(store.records())
    assert str(caught.value).startswith(str(path_of(tmp_path, made)))
    assert key in str(caught.value)
    assert "\n" not in str(caught.value)


def before_reading(monkeypatch: pytest.MonkeyPatch, ending: str, act: Callable[[], object]) -> None:
    """Let another process act once, just before a file with this ending is read."""
    read = Path.read_bytes
    acted: list[Path] = []

    def late(path: Path) -> bytes:
        if path.name.endswith(ending) and not acted:
            acted.append(path)
            act()
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", late)


def test_a_failure_that_a_retry_mends_while_records_are_listed_comes_as_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(tmp_path)
    for made in (record(failed=True), record(seed=1)):
        store.write(made)
    before_reading(monkeypatch, ".failed.json", lambda: store.write(record()))
    listed = list(store.records())
    assert sorted(made.seed for made in listed) == [0, 1]
    assert record() in listed


def test_a_record_that_is_retired_while_records_are_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(tmp_path)
    for seed in (0, 1):
        store.write(record(seed=seed))
    gone = record(seed=0)
    before_reading(monkeypatch, f"{gone.run_id}.json", lambda: store.retire(*address(gone)))
    assert list(store.records()) == [record(seed=1)]


def test_a_record_that_goes_while_it_is_asked_for_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ResultStore(tmp_path)
    store.write(record())
    before_reading(monkeypatch, ".json", lambda: store.retire(*address(record())))
    with pytest.raises(StoreError, match="there is no record"):
        store.read(*address(record()))


def test_a_record_in_the_place_of_another_is_refused(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    store.write(record(seed=0))
    path_of(tmp_path, record(seed=0)).rename(path_of(tmp_path, record(seed=1)))
    with pytest.raises(StoreError, match="which belongs elsewhere"):
        list(store.records())


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "/etc", "", ".hidden", "a\x00b", "a\nb"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store, made = ResultStore(tmp_path / "results"), record()
    for dataset, model, run_id in ((name, "stid", made.run_id), ("bikenyc", name, made.run_id), ("a", "b", name)):
        with pytest.raises(StoreError, match="cannot name a result"):
            store.has(dataset, model, run_id)
    with pytest.raises(StoreError, match="cannot name a result"):
        store.lock(name)
    with pytest.raises(StoreError, match="cannot name a result"):
        store.write(record(dataset=name))
    assert list((tmp_path / "results").rglob("*.json")) == []


def test_reading_a_run_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no record"):
        ResultStore(tmp_path).read(*address(record()))


def test_a_folder_without_records_has_none(tmp_path: Path) -> None:
    assert list(ResultStore(tmp_path / "nowhere").records()) == []


def test_a_lock_holds_off_others_and_ends(tmp_path: Path) -> None:
    first, second = ResultStore(tmp_path), ResultStore(tmp_path)
    with first.lock(record().run_id), pytest.raises(Timeout), second.lock(record().run_id).acquire(timeout=0):
        pass
    with second.lock(record().run_id).acquire(timeout=0):
        pass


def test_a_file_system_without_hard_links_gives_the_same_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> NoReturn:
        raise OSError(errno.EOPNOTSUPP, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    store = ResultStore(tmp_path)
    assert store.write(record(mae=1.0))
    assert not store.write(record(mae=2.0))
    assert list(store.records()) == [record(mae=1.0)]
    assert [path.name for path in path_of(tmp_path, record()).parent.iterdir()] == [f"{record().run_id}.json"]
    assert store.retire(*address(record()))
    assert store.write(record(mae=2.0))


def test_a_full_disk_is_one_sentence_and_leaves_no_part_of_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for made in (record(), record(failed=True)):
        with pytest.raises(
            StoreError, match=r"the record .* cannot be written: space on the disk may be out, or a quota"
        ):
            ResultStore(tmp_path).write(made)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def race(results: Path, worker: int, barrier: Any, answers: Any) -> None:
    store = ResultStore(results)
    barrier.wait()
    answers.put([seed for seed in range(20) if store.write(record(seed=seed, mae=float(worker)))])


def test_of_processes_that_race_for_a_run_exactly_one_wins(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.Queue()
    workers = [context.Process(target=race, args=(tmp_path, number, barrier, answers)) for number in range(3)]
    for worker in workers:
        worker.start()
    won = [answers.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sorted(seed for seeds in won for seed in seeds) == list(range(20))
    assert len(list(ResultStore(tmp_path).records())) == 20
