"""The cache of data sets: it answers as the raw files do, is rebuilt when broken, and is named by what made it."""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import bikedc_catalog, demand, own_array, raw_file
from projects import HEAD, Project
from toy_grid import the_error

from bench.catalog import cache, registry
from bench.catalog.canonical import content_digest
from bench.catalog.data import Catalog
from bench.catalog.npy import mapped
from bench.types import DataIdentity, SpatioTemporalData


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A data folder with a whole bikedc in it."""
    return bikedc_catalog(tmp_path)


def silent_once() -> np.ndarray:
    """Values with an outage in slot 28."""
    values = demand()
    values[28] = 0
    return values


def cached(catalog: Catalog) -> list[Path]:
    return sorted(catalog.cache.glob("*.npz"))


def test_real_data_come_out_as_they_went_in(catalog: Catalog) -> None:
    data = catalog.load("bikedc")
    np.testing.assert_array_equal(data.values[:, 0], demand())
    assert data.identity.version == "npy-1"
    assert not data.identity.synthetic
    assert data.segments == ((0, 1440),)
    assert data.cell_mask.all()


def test_identity_and_load_agree_before_and_after_the_cache(catalog: Catalog) -> None:
    fresh = catalog.identity("bikedc")
    assert len(cached(catalog)) == 1
    loaded = catalog.load("bikedc")
    assert fresh == loaded.identity == catalog.identity("bikedc")
    again = catalog.load("bikedc")
    np.testing.assert_array_equal(again.values, loaded.values)
    assert again.card == catalog.card("bikedc")
    assert len(cached(catalog)) == 1


def test_what_is_cached_is_neither_read_nor_hashed_again(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = catalog.identity("bikedc")
    monkeypatch.setattr(registry.load("dataset", "bikedc"), "read", lambda _: pytest.fail("was read"))
    stat = raw_file(catalog).stat()
    raw_file(catalog).write_bytes(bytes(stat.st_size))  # looks the same, so that only its digest could tell
    os.utime(raw_file(catalog), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert catalog.identity("bikedc") == expected
    assert catalog.load("bikedc").identity == expected


def test_a_shape_is_told_by_a_header_and_made_anew_with_a_broken_cache(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = catalog.shape("bikenyc")
    assert shape == catalog.load("bikenyc").values.shape
    with monkeypatch.context() as patched:
        patched.setattr("bench.catalog.data.build", lambda *_: pytest.fail("made again"))
        patched.setattr("numpy.load", lambda *_, **__: pytest.fail("an array was read"))
        assert catalog.shape("bikenyc") == shape
    (values,) = catalog.cache.glob("bikenyc-*.values.npy")
    values.write_bytes(b"")
    assert catalog.shape("bikenyc") == shape == catalog.load("bikenyc").values.shape


def test_a_missing_mask_and_segments_survive_the_cache(catalog: Catalog) -> None:
    np.save(raw_file(catalog), silent_once())
    for _ in range(2):
        mask = catalog.load("bikedc").mask
        assert mask is not None
        assert np.flatnonzero(~mask.all(axis=(1, 2, 3))).tolist() == [28]


def test_a_unist_file_of_a_flow_has_one_channel_with_and_without_the_cache(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 9, (12, 10, 20))
    content: dict[str, Any] = {"timestamps": {}}
    for split, start in (("train", 0), ("val", 4), ("test", 8)):
        content[f"X_{split}"] = [[values[start : start + 4].tolist()], []]
        content["timestamps"][split] = [list(range(start, start + 4))]
    (tmp_path / "taxinyc").mkdir()
    (tmp_path / "taxinyc" / "TaxiNYC_short.json").write_text(json.dumps(content))
    catalog = Catalog(data_dir=tmp_path, cache=tmp_path / "cache")
    for _ in range(2):
        data = catalog.load("taxinyc")
        np.testing.assert_array_equal(data.values[:, 0], values)
        assert data.card.channels == ("start or end",)
        assert data.identity.version == "unist-1"


def test_another_raw_file_is_another_identity(catalog: Catalog) -> None:
    before = catalog.identity("bikedc")
    np.save(raw_file(catalog), demand(1))
    after = catalog.identity("bikedc")
    assert after.sha256 != before.sha256
    np.testing.assert_array_equal(catalog.load("bikedc").values[:, 0], demand(1))


@pytest.mark.parametrize("part", [".npz", ".values.npy", ".mask.npy"])
@pytest.mark.parametrize("harm", ["truncate", "empty", "flip", "text", "remove", "another array"])
def test_a_corrupt_cache_is_rebuilt(catalog: Catalog, part: str, harm: str) -> None:
    np.save(raw_file(catalog), silent_once())
    expected = catalog.load("bikedc")
    file = cached(catalog)[0].with_suffix(part)
    content = bytearray(file.read_bytes())
    if harm == "truncate":
        content = content[: len(content) // 2]
    elif harm == "empty":
        content = bytearray()
    elif harm == "flip":
        content[len(content) // 2] ^= 255
    elif harm == "text":
        content = bytearray(b"not a cache")
    file.unlink()  # a map of it keeps what it shows
    if harm == "another array":
        np.save(file.with_suffix(".npy"), np.zeros(3))
        file.with_suffix(".npy").rename(file)
    elif harm != "remove":
        file.write_bytes(content)
    found = catalog.load("bikedc")
    assert found.identity == expected.identity
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.mask, expected.mask)  # type: ignore[arg-type]
    assert catalog.identity("bikedc") == expected.identity


def test_a_cache_of_which_its_digest_is_not_true_is_rebuilt(catalog: Catalog) -> None:
    expected = catalog.load("bikedc")
    (file,) = cached(catalog)
    with np.load(file) as archive:
        arrays = dict(archive)
    about = json.loads(str(arrays["about"]))
    file.unlink()
    np.savez(
        file, **arrays | {"about": np.array(json.dumps(about | {"sha256": "0" * 64, "looks": {"values": [1, 2]}}))}
    )
    assert catalog.load("bikedc").identity == expected.identity


def test_a_cache_that_looks_as_when_it_was_written_is_not_hashed_again(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, hashed = catalog.load("bikedc").identity, []

    def counted(*arrays: Any) -> str:
        hashed.append(arrays)
        return content_digest(*arrays)

    monkeypatch.setattr(cache, "content_digest", counted)
    assert catalog.load("bikedc").identity == expected
    assert not hashed
    os.utime(cached(catalog)[0].with_suffix(".values.npy"), ns=(1, 1))  # as a copy of the folder is
    for _ in range(3):
        assert catalog.load("bikedc").identity == expected
    assert len(hashed) == 1


def test_what_is_loaded_is_mapped_and_cannot_be_changed(catalog: Catalog) -> None:
    np.save(raw_file(catalog), silent_once())
    for _ in range(2):
        data = catalog.load("bikedc")
        assert data.mask is not None
        for array in (data.values, data.mask):
            assert isinstance(array.base, mmap.mmap)
            assert not array.flags.writeable


def test_a_digest_index_of_nonsense_is_ignored(catalog: Catalog) -> None:
    expected = catalog.identity("bikedc")
    for text in ("", "[]", '{"a": 1}', json.dumps({raw_file(catalog).as_posix(): [1, 2, 3]})):
        (catalog.cache / "digests.json").write_text(text)
        assert catalog.identity("bikedc") == expected


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (demand()[:-1], "1439 slots"),
        (demand()[:, :-1], "shape [1440, 19, 20]"),
        (-demand(), "negative"),
        (np.where(demand() == 7, np.nan, demand()), "NaN"),
        (np.where(demand() == 7, np.inf, demand()), "infinite"),
        (np.zeros((1440, 20, 20)), "no value at all"),
        (demand().astype(str), "dtype"),
        (demand().astype(object), "bject arrays"),
    ],
    ids=["short", "grid", "negative", "nan", "infinite", "silent", "text", "pickled"],
)
def test_bad_raw_files_are_one_sentence_and_leave_no_cache(catalog: Catalog, values: np.ndarray, word: str) -> None:
    np.save(raw_file(catalog), values)
    the_error(lambda: catalog.identity("bikedc"), word)
    the_error(lambda: catalog.load("bikedc"), word)
    assert not list(catalog.cache.glob("*"))


def test_a_truncated_file_is_one_sentence_and_leaves_no_cache(catalog: Catalog) -> None:
    raw_file(catalog).write_bytes(raw_file(catalog).read_bytes()[:5000])
    the_error(lambda: catalog.identity("bikedc"), "BikeDC.npy", "get the file again")
    assert not catalog.cache.exists()


def test_files_of_no_known_layout_are_an_error_and_never_replaced_by_synthetic_data(catalog: Catalog) -> None:
    raw_file(catalog).rename(raw_file(catalog).with_name("other.npy"))
    assert catalog.has_real("bikedc")
    the_error(lambda: catalog.identity("bikedc"), "other.npy", "BikeDC.npy")


def test_an_interrupted_write_leaves_no_cache(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    the_error(lambda: catalog.identity("bikedc"), "the cache", "space on the disk may be out", "make room")
    assert list(catalog.cache.iterdir()) == []


def test_a_cache_folder_that_is_a_file_is_one_sentence(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    the_error(lambda: replace(catalog, cache=tmp_path / "file" / "cache").identity("bikedc"), "cannot be written")


def identity_of(catalog: Catalog) -> DataIdentity:
    return catalog.load("bikedc").identity


def test_two_that_build_at_once_agree_and_leave_one_cache(catalog: Catalog) -> None:
    with get_context("spawn").Pool(2) as processes:
        found = processes.map(identity_of, [catalog] * 4, chunksize=1)
    assert len(found) == 4
    assert len(set(found)) == 1
    (file,) = cached(catalog)
    names = {file.name, file.with_suffix(".values.npy").name, "digests.json"}
    assert {path.name for path in catalog.cache.iterdir()} == names


def test_a_file_that_another_process_puts_in_place_meanwhile_is_held_against_the_digest(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, written, others = catalog.load("bikedc"), cache._write_rest, []
    (file,) = cached(catalog)

    def overtaken(rest: Path, data: SpatioTemporalData, looks: Any) -> None:
        if not others:
            others.append(rest)
            np.save(rest.with_name("other.npy"), np.zeros_like(data.values))
            rest.with_name("other.npy").replace(rest.with_suffix(".values.npy"))
        written(rest, data, looks)

    monkeypatch.setattr(cache, "_write_rest", overtaken)
    file.unlink()
    the_error(lambda: catalog.load("bikedc"), "is not as it was written a moment ago")
    np.testing.assert_array_equal(catalog.load("bikedc").values, expected.values)


def test_a_file_that_is_replaced_while_it_is_hashed_is_not_noted_as_hashed(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = catalog.load("bikedc")
    values = cached(catalog)[0].with_suffix(".values.npy")
    os.utime(values, ns=(1, 1))

    def mapped_first(file: Path) -> np.ndarray:
        found = mapped(file)
        np.save(file.with_name("other.npy"), np.zeros_like(found))
        file.with_name("other.npy").replace(file)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(cache, "mapped", mapped_first)
        np.testing.assert_array_equal(catalog.load("bikedc").values, expected.values)
    np.testing.assert_array_equal(catalog.load("bikedc").values, expected.values)


def test_to_examine_data_needs_no_cache(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    without = replace(catalog, cache=tmp_path / "file" / "cache")
    assert without.examine("bikedc") == catalog.identity("bikedc") == catalog.examine("bikedc")


# ---------------------------------------------------------------- the cache's name


@pytest.mark.parametrize("name", ["taxibj", "bikedc", "citybus"])
@pytest.mark.parametrize(
    ("code", "counts_for"),
    [
        ("bench/catalog/canonical.py", {"taxibj", "bikedc", "citybus"}),
        ("bench/clock.py", {"taxibj", "bikedc", "citybus"}),
        ("datasets/_synthetic.py", {"taxibj"}),
        ("datasets/_formats.py", {"taxibj", "bikedc"}),
        ("datasets/_io.py", {"taxibj", "bikedc"}),
        ("datasets/_unist.py", {"taxibj"}),
        ("bench/catalog/imported.py", {"citybus"}),
        ("bench/catalog/import_card.py", {"citybus"}),
    ],
)
def test_edited_code_makes_another_cache(
    catalog: Catalog, project: Project, name: str, code: str, counts_for: set[str]
) -> None:
    own_array(catalog)
    catalog.identity(name)
    before = cached(catalog)
    project.edit(code, HEAD, f"{HEAD}\nEDITED = 1\n")
    catalog.identity(name)
    assert len(cached(catalog)) == len(before) + (name in counts_for)


def test_an_edited_comment_makes_no_other_cache(catalog: Catalog, project: Project) -> None:
    catalog.identity("bikedc")
    project.edit("datasets/_formats.py", HEAD, f"# a remark\n{HEAD}")
    catalog.identity("bikedc")
    assert len(cached(catalog)) == 1


def test_the_threshold_of_a_metric_is_in_the_digest(catalog: Catalog) -> None:
    card = own_array(catalog)
    before = catalog.identity("citybus")
    card.write_text(card.read_text() + "# a remark\n")
    assert catalog.identity("citybus") == before
    card.write_text(card.read_text() + "mape_threshold = 1\n")
    assert catalog.identity("citybus").sha256 != before.sha256
