from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import registry
from bench.canonical import canonical
from bench.data import Catalog, resolve_data_dir
from bench.errors import ConfigError, DataError, UnknownNameError
from bench.raw_files import digest_of
from bench.types import DatasetCard, RawSeries

ROOT = Path(__file__).resolve().parents[1]
REAL = Path(os.environ.get("STBENCH_DATA") or ROOT.parent / "shared" / "data")
CARD = DatasetCard(
    name="toy",
    title="Toy",
    city="",
    domain="taxi flow",
    grid=(2, 3),
    interval=30,
    start=None,
    slots=96,
    channels=("inflow", "outflow"),
    unit="taxis",
    licence="",
    citation="",
    homepage="",
    how_to_get="",
    formats=("a toy",),
)


def demand(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 60, (1440, 20, 20)).astype(np.int32)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A data folder with a whole bikedc in it."""
    folder = tmp_path / "data" / "bikedc"
    folder.mkdir(parents=True)
    np.save(folder / "BikeDC.npy", demand())
    return Catalog(data_dir=tmp_path / "data", cache=tmp_path / "cache")


def raw_file(catalog: Catalog) -> Path:
    assert catalog.data_dir
    return catalog.data_dir / "bikedc" / "BikeDC.npy"


def own_array(catalog: Catalog) -> Path:
    """The card of an array of the user's own, 'citybus', laid out by hand."""
    assert catalog.data_dir
    folder = catalog.data_dir / "citybus"
    folder.mkdir()
    np.savez(folder / "data.npz", data=np.random.default_rng(0).uniform(0, 9, (96, 1, 2, 3)).astype(np.float32))
    (folder / "card.toml").write_text('name = "citybus"\ninterval = 30\ngrid = [2, 3]\n')
    return folder / "card.toml"


def cached(catalog: Catalog) -> list[Path]:
    return sorted(catalog.cache.glob("*.npz"))


def the_error(read: Callable[[], object], *words: str) -> None:
    with pytest.raises(DataError) as caught:
        read()
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


# ---------------------------------------------------------------- canonical form


def clock(slots: int = 96) -> np.ndarray:
    return np.array([[t % 48, t // 48 % 7] for t in range(slots)])


def series(values: np.ndarray | None = None, **changes: object) -> RawSeries:
    given = np.ones((96, 2, 2, 3)) if values is None else values
    return replace(RawSeries(values=given, clock=clock(len(given)), layout="npy"), **changes)  # type: ignore[arg-type]


def with_value(value: float) -> np.ndarray:
    values = np.ones((96, 2, 2, 3))
    values[5, 1, 0, 2] = value
    return values


def test_nan_becomes_a_masked_zero() -> None:
    data = canonical(CARD, series(with_value(np.nan)), "npy-1")
    assert data.mask is not None
    assert np.argwhere(~data.mask).tolist() == [[5, 1, 0, 2]]
    assert data.values[5, 1, 0, 2] == 0
    assert data.values.dtype == np.float32
    assert canonical(CARD, series(), "npy-1").mask is None


def test_a_zero_is_missing_only_where_the_card_says_so() -> None:
    assert canonical(CARD, series(with_value(0)), "npy-1").mask is None
    mask = canonical(replace(CARD, zero_is_missing=True), series(with_value(0)), "npy-1").mask
    assert mask is not None
    assert np.argwhere(~mask).tolist() == [[5, 1, 0, 2]]


def test_padding_cells_are_zero_and_never_missing() -> None:
    cell_mask = np.ones((2, 3), dtype=bool)
    cell_mask[0, 2] = False
    for filler in (np.nan, -1.0, np.inf):
        data = canonical(replace(CARD, zero_is_missing=True), series(with_value(filler), cell_mask=cell_mask), "npy-1")
        assert data.mask is None
        assert not data.values[..., 0, 2].any()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"values": np.ones((96, 2, 3, 2))}, "[96, 2, 3, 2]"),
        ({"values": np.ones((96, 3, 2, 3))}, "says [T, 2, 2, 3]"),
        ({"values": np.ones((96, 2, 6))}, "[96, 2, 6]"),
        ({"values": np.ones((0, 2, 2, 3)), "clock": clock(0)}, "[0, 2, 2, 3]"),
        ({"values": with_value(-3)}, "1 negative values down to -3"),
        ({"values": with_value(np.inf)}, "infinite"),
        ({"values": with_value(1e300)}, "infinite"),
        ({"values": np.full((96, 2, 2, 3), np.nan)}, "no value at all"),
        ({"clock": clock(95)}, "clock of shape [95, 2]"),
        ({"clock": clock().astype(float)}, "whole numbers"),
        ({"clock": clock() + 1}, "outside"),
        ({"clock": np.delete(clock(97), 40, axis=0)}, "jumps from [39, 0] to [41, 0] at slot 40"),
        ({"clock": clock() * [1, 0]}, "jumps from [47, 0] to [0, 0] at slot 48"),
        ({"segments": ((0, 50),)}, "tile"),
        ({"segments": ((0, 50), (60, 96))}, "tile"),
        ({"segments": ((50, 96), (0, 50))}, "tile"),
        ({"cell_mask": np.ones((3, 2), dtype=bool)}, "cell mask"),
        ({"cell_mask": np.zeros((2, 3), dtype=bool)}, "cell mask"),
    ],
)
def test_a_series_that_is_not_what_its_card_says_is_one_sentence(changes: dict[str, object], word: str) -> None:
    the_error(lambda: canonical(CARD, series(**changes), "npy-1"), word)  # type: ignore[arg-type]


def test_a_clock_may_jump_between_segments() -> None:
    jumped = np.concatenate([clock()[:40], clock(48)[7:], clock()[:15]])
    segments = ((0, 40), (40, 81), (81, 96))
    assert canonical(CARD, series(clock=jumped, segments=segments), "npy-1").segments == segments
    the_error(lambda: canonical(CARD, series(clock=jumped, segments=((0, 40), (40, 96))), "npy-1"), "slot 81")


def test_one_channel_for_a_card_with_two_is_named_as_either() -> None:
    assert canonical(CARD, series(np.ones((96, 1, 2, 3))), "unist-1").card.channels == ("inflow or outflow",)


@settings(deadline=None)
@given(st.integers(0, 95), st.integers(0, 1), st.integers(0, 1), st.integers(0, 2))
def test_the_digest_sees_every_value(t: int, c: int, r: int, w: int) -> None:
    values = np.ones((96, 2, 2, 3))
    before = canonical(CARD, series(values), "npy-1").identity.sha256
    values[t, c, r, w] = 2
    assert canonical(CARD, series(values), "npy-1").identity.sha256 != before


# ---------------------------------------------------------------- catalog and cache


def test_real_data_come_out_as_they_went_in(catalog: Catalog) -> None:
    data = catalog.load("bikedc")
    np.testing.assert_array_equal(data.values[:, 0], demand())
    assert data.identity.version == "npy-1"
    assert not data.identity.stand_in
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


def test_a_missing_mask_and_segments_survive_the_cache(catalog: Catalog) -> None:
    values = demand()
    values[28] = 0
    np.save(raw_file(catalog), values)
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


@pytest.mark.parametrize("harm", ["truncate", "empty", "flip", "text", "digest"])
def test_a_corrupt_cache_is_rebuilt(catalog: Catalog, harm: str) -> None:
    expected = catalog.load("bikedc")
    (file,) = cached(catalog)
    content = bytearray(file.read_bytes())
    if harm == "truncate":
        content = content[: len(content) // 2]
    elif harm == "empty":
        content = bytearray()
    elif harm == "flip":
        content[len(content) // 2] ^= 255
    elif harm == "text":
        content = bytearray(b"not a cache")
    file.write_bytes(content)
    if harm == "digest":
        with np.load(file) as archive:
            arrays = dict(archive)
        arrays["values"] = arrays["values"] + 1
        np.savez(file, **arrays)
    found = catalog.load("bikedc")
    assert found.identity == expected.identity
    np.testing.assert_array_equal(found.values, expected.values)
    assert catalog.identity("bikedc") == expected.identity


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
    assert not catalog.cache.exists()


def test_a_truncated_file_is_one_sentence_and_leaves_no_cache(catalog: Catalog) -> None:
    raw_file(catalog).write_bytes(raw_file(catalog).read_bytes()[:5000])
    the_error(lambda: catalog.identity("bikedc"), "BikeDC.npy", "get the file again")
    assert not catalog.cache.exists()


def test_files_of_no_known_layout_are_an_error_and_never_a_stand_in(catalog: Catalog) -> None:
    raw_file(catalog).rename(raw_file(catalog).with_name("other.npy"))
    assert catalog.has_real("bikedc")
    the_error(lambda: catalog.identity("bikedc"), "other.npy", "BikeDC.npy")


def test_an_interrupted_write_leaves_no_cache(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    the_error(lambda: catalog.identity("bikedc"), "No space left on device", "free space")
    assert list(catalog.cache.iterdir()) == []


def test_a_cache_folder_that_is_a_file_is_one_sentence(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    the_error(lambda: replace(catalog, cache=tmp_path / "file" / "cache").identity("bikedc"), "cannot be written")


def test_two_that_build_at_once_agree_and_leave_one_cache(catalog: Catalog) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(catalog.load("bikedc").identity)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert sorted(path.name for path in catalog.cache.iterdir()) == [cached(catalog)[0].name, "digests.json"]


# ---------------------------------------------------------------- what cannot be reached


def locked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A folder that may not be listed, for the superuser too."""
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def never_a_stand_in(catalog: Catalog, name: str, *words: str) -> None:
    for ask in (catalog.has_real, catalog.identity, catalog.load, catalog.verify, catalog.examine):
        the_error(lambda ask=ask: ask(name), *words)  # type: ignore[misc]


def test_a_folder_that_cannot_be_listed_is_no_stand_in(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    locked(monkeypatch, raw_file(catalog).parent)
    never_a_stand_in(catalog, "bikedc", "data/bikedc cannot be read", "Permission denied")


def test_a_folder_that_is_a_dangling_link_or_a_file_is_no_stand_in(tmp_path: Path) -> None:
    catalog = Catalog(data_dir=tmp_path, cache=tmp_path / "cache")
    (tmp_path / "bikedc").symlink_to(tmp_path / "gone")
    never_a_stand_in(catalog, "bikedc", "bikedc cannot be read", "No such file")
    (tmp_path / "taxibj").write_text("")
    never_a_stand_in(catalog, "taxibj", "taxibj cannot be read", "Not a directory")


def test_a_dangling_link_in_a_folder_is_no_stand_in(catalog: Catalog) -> None:
    raw_file(catalog).unlink()
    raw_file(catalog).symlink_to("gone.npy")
    never_a_stand_in(catalog, "bikedc", "BikeDC.npy cannot be read", "mend its permissions or the link")


def test_a_folder_of_the_users_own_that_cannot_be_reached_is_named(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalog.data_dir
    for name in ("citybus", "lost+found"):
        (catalog.data_dir / name).mkdir()
    (catalog.data_dir / "cityrail").symlink_to("gone")
    locked(monkeypatch, catalog.data_dir / "citybus")
    assert {"citybus", "cityrail"} <= set(catalog.names())
    assert "lost+found" not in catalog.names()
    for name in ("citybus", "cityrail"):
        the_error(lambda name=name: catalog.card(name), f"{name} cannot be read")  # type: ignore[misc]


def test_a_card_that_is_a_dangling_link_is_named(catalog: Catalog) -> None:
    assert catalog.data_dir
    (catalog.data_dir / "citybus").mkdir()
    (catalog.data_dir / "citybus" / "card.toml").symlink_to("gone.toml")
    assert "citybus" in catalog.names()
    never_a_stand_in(catalog, "citybus", "card.toml cannot be read")


def test_a_data_folder_that_cannot_be_listed_is_one_sentence(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert catalog.data_dir
    locked(monkeypatch, catalog.data_dir)
    the_error(catalog.names, "data cannot be read")


def test_to_examine_data_needs_no_cache(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    without = replace(catalog, cache=tmp_path / "file" / "cache")
    assert without.examine("bikedc") == catalog.identity("bikedc") == catalog.examine("bikedc")


# ---------------------------------------------------------------- the cache's name


@pytest.mark.parametrize("name", ["taxibj", "bikedc", "citybus"])
@pytest.mark.parametrize(
    ("code", "counts_for"),
    [
        ("bench/canonical.py", {"taxibj", "bikedc", "citybus"}),
        ("bench/clock.py", {"taxibj", "bikedc", "citybus"}),
        ("datasets/_standin.py", {"taxibj"}),
        ("datasets/_formats.py", {"taxibj", "bikedc"}),
        ("bench/data_import.py", {"citybus"}),
        ("bench/import_card.py", {"citybus"}),
    ],
)
def test_edited_code_makes_another_cache(
    catalog: Catalog, name: str, code: str, counts_for: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_array(catalog)
    catalog.identity(name)
    before = cached(catalog)
    monkeypatch.setattr("bench.data.digest_of", lambda path: "edited" if path == ROOT / code else digest_of(path))
    catalog.identity(name)
    assert len(cached(catalog)) == len(before) + (name in counts_for)


def test_the_threshold_of_a_metric_is_in_the_digest(catalog: Catalog) -> None:
    card = own_array(catalog)
    before = catalog.identity("citybus")
    card.write_text(card.read_text() + "# a remark\n")
    assert catalog.identity("citybus") == before
    card.write_text(card.read_text() + "mape_threshold = 1\n")
    assert catalog.identity("citybus").sha256 != before.sha256


# ---------------------------------------------------------------- stand-ins


def test_without_files_there_is_a_stand_in_and_it_says_so(tmp_path: Path) -> None:
    for data_dir in (None, tmp_path):
        catalog = Catalog(data_dir=data_dir, cache=tmp_path / "cache")
        data = catalog.load("bikedc")
        assert not catalog.has_real("bikedc")
        assert data.identity.stand_in
        assert data.identity.version.startswith("stand-in-")
        assert data.values.shape[1:] == (1, 20, 20)
        assert catalog.identity("bikedc") == data.identity


def test_an_empty_folder_is_no_real_data(tmp_path: Path) -> None:
    (tmp_path / "bikedc").mkdir()
    (tmp_path / "bikedc" / ".hidden").write_text("")
    catalog = Catalog(data_dir=tmp_path, cache=tmp_path / "cache")
    assert not catalog.has_real("bikedc")
    assert catalog.identity("bikedc").stand_in


@pytest.mark.parametrize("name", registry.dataset_names())
def test_every_data_set_has_a_stand_in_that_passes_its_own_card(name: str) -> None:
    card = replace(registry.load("dataset", name).CARD, slots=96)
    made = importlib.import_module("datasets._standin").generate(card)
    assert canonical(card, made, "stand-in-1").identity.stand_in


# ---------------------------------------------------------------- names, cards, folders


def test_unknown_names_suggest_the_nearest(catalog: Catalog) -> None:
    for ask in (catalog.card, catalog.load, catalog.identity, catalog.verify):
        with pytest.raises(UnknownNameError, match="did you mean 'bikedc'"):
            ask("bikedcc")
    for name in ("../bikedc", "", ".", "/etc"):
        with pytest.raises(UnknownNameError):
            catalog.load(name)


def test_a_users_own_array_is_listed_and_loaded(catalog: Catalog) -> None:
    values = np.load(own_array(catalog).with_name("data.npz"))["data"]
    assert "citybus" in catalog.names()
    assert catalog.card("citybus").grid == (2, 3)
    assert catalog.has_real("citybus")
    for _ in range(2):
        data = catalog.load("citybus")
        np.testing.assert_array_equal(data.values, values)
        assert data.identity == catalog.identity("citybus")
        assert not data.identity.stand_in
    assert {finding.status for finding in catalog.verify("citybus")} == {"unchecked"}


def test_verify_names_what_is_right_changed_absent_and_unchecked(catalog: Catalog) -> None:
    assert catalog.data_dir
    assert [finding.status for finding in catalog.verify("bikedc")] == ["changed"]
    (raw_file(catalog).parent / "notes.txt").write_text("")
    raw_file(catalog).unlink()
    assert {finding.file: finding.status for finding in catalog.verify("bikedc")} == {
        "BikeDC.npy": "absent",
        "notes.txt": "unchecked",
    }
    assert {finding.status for finding in replace(catalog, data_dir=None).verify("bikedc")} == {"absent"}


def test_the_data_folder_comes_from_option_then_variable_then_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STBENCH_DATA", raising=False)
    assert resolve_data_dir(None) is None
    for name in ("data", "named", "asked"):
        (tmp_path / name).mkdir()
    assert resolve_data_dir(None) == Path("data")
    monkeypatch.setenv("STBENCH_DATA", str(tmp_path / "named"))
    assert resolve_data_dir(None) == tmp_path / "named"
    assert resolve_data_dir(tmp_path / "asked") == tmp_path / "asked"
    with pytest.raises(ConfigError, match="--data-dir"):
        resolve_data_dir(tmp_path / "absent")
    monkeypatch.setenv("STBENCH_DATA", str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="STBENCH_DATA"):
        resolve_data_dir(None)


def test_the_catalog_and_all_cards_import_nothing_heavy() -> None:
    code = (
        "import sys; from pathlib import Path; from bench.data import Catalog;"
        "c = Catalog(data_dir=None, cache=Path('x')); [c.card(n) for n in c.names()];"
        "print([m for m in ('torch', 'pandas', 'h5py', 'mlflow', 'scipy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- real files, where they are


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real data in {REAL}")
def test_every_real_file_has_the_digest_on_its_card_and_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(data_dir=REAL, cache=tmp_path)
    names = [name for name in catalog.names() if catalog.has_real(name)]
    if not names:
        pytest.skip(f"no known data set in {REAL}")
    for name in names:
        known = [finding for finding in catalog.verify(name) if finding.status != "absent" and finding.expected]
        assert known
        assert {finding.status for finding in known} == {"ok"}
        assert not catalog.identity(name).stand_in
    monkeypatch.setattr(Catalog, "_build", None)  # what is cached is not read again
    for name in names:
        assert not catalog.identity(name).stand_in
