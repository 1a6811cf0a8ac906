"""The catalog of data sets: their names and folders, synthetic data sets, and files that cannot be reached."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import ROOT, bikedc_catalog, own_array, raw_file
from toy_grid import the_error

from bench.catalog import registry
from bench.catalog.canonical import canonical
from bench.catalog.data import Catalog, resolve_data_dir
from bench.errors import ConfigError, UnknownNameError

REAL = Path(os.environ.get("STBENCH_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A data folder with a whole bikedc in it."""
    return bikedc_catalog(tmp_path)


@pytest.mark.parametrize("error", [SystemExit(0), KeyError("mean"), ValueError("a\nb"), ZeroDivisionError()])
def test_whatever_a_reader_raises_is_one_sentence(
    error: BaseException, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(folder: Path) -> Any:
        raise error

    monkeypatch.setattr(registry.load("dataset", "bikedc"), "read", read)
    the_error(lambda: catalog.identity("bikedc"), f"the reader of 'bikedc' ended with {type(error).__name__}: ")


# ---------------------------------------------------------------- what cannot be reached


def locked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A folder that may not be listed, for the superuser too."""
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def never_synthetic(catalog: Catalog, name: str, *words: str) -> None:
    for ask in (catalog.has_real, catalog.identity, catalog.load, catalog.verify, catalog.examine):
        the_error(lambda ask=ask: ask(name), *words)  # type: ignore[misc]


def test_a_folder_that_cannot_be_listed_is_never_made_synthetic(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(monkeypatch, raw_file(catalog).parent)
    never_synthetic(catalog, "bikedc", "data/bikedc cannot be read", "Permission denied")


def test_a_folder_that_is_a_dangling_link_or_a_file_is_never_made_synthetic(tmp_path: Path) -> None:
    catalog = Catalog(data_dir=tmp_path, cache=tmp_path / "cache")
    (tmp_path / "bikedc").symlink_to(tmp_path / "gone")
    never_synthetic(catalog, "bikedc", "bikedc cannot be read", "No such file")
    (tmp_path / "taxibj").write_text("")
    never_synthetic(catalog, "taxibj", "taxibj cannot be read", "Not a directory")


def test_a_dangling_link_in_a_folder_is_never_made_synthetic(catalog: Catalog) -> None:
    raw_file(catalog).unlink()
    raw_file(catalog).symlink_to("gone.npy")
    never_synthetic(catalog, "bikedc", "BikeDC.npy cannot be read", "mend its permissions or the link")


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
    never_synthetic(catalog, "citybus", "card.toml cannot be read")


def test_a_data_folder_that_cannot_be_listed_is_one_sentence(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    assert catalog.data_dir
    locked(monkeypatch, catalog.data_dir)
    the_error(catalog.names, "data cannot be read")


# ---------------------------------------------------------------- synthetic data sets


def test_without_files_there_are_synthetic_data_and_they_say_so(tmp_path: Path) -> None:
    for data_dir in (None, tmp_path):
        catalog = Catalog(data_dir=data_dir, cache=tmp_path / "cache")
        data = catalog.load("bikedc")
        assert not catalog.has_real("bikedc")
        assert data.identity.synthetic
        assert data.identity.version.startswith("synthetic-")
        assert data.values.shape[1:] == (1, 20, 20)
        assert catalog.identity("bikedc") == data.identity


def test_files_of_a_data_set_a_folder_too_high_are_never_made_synthetic(tmp_path: Path) -> None:
    deep = tmp_path / "bikenyc"
    deep.mkdir()
    (deep / "data.zip").touch()
    wanted = (
        f"data.zip of bikenyc lies in {deep} itself, wanted in {deep / 'bikenyc'}; give {tmp_path} as the data folder"
    )
    the_error(lambda: Catalog(data_dir=deep, cache=tmp_path / "cache").identity("bikenyc"), wanted)
    assert not Catalog(data_dir=deep, cache=tmp_path / "cache").has_real("taxinyc")  # whose archive is called alike
    (tmp_path / "BikeDC.npy").touch()
    the_error(
        lambda: Catalog(data_dir=tmp_path, cache=tmp_path).has_real("bikedc"), f"move it into {tmp_path / 'bikedc'}"
    )
    assert Catalog(data_dir=tmp_path, cache=tmp_path).has_real("bikenyc")


def test_an_empty_folder_is_no_real_data(tmp_path: Path) -> None:
    (tmp_path / "bikedc").mkdir()
    (tmp_path / "bikedc" / ".hidden").write_text("")
    catalog = Catalog(data_dir=tmp_path, cache=tmp_path / "cache")
    assert not catalog.has_real("bikedc")
    assert catalog.identity("bikedc").synthetic


@pytest.mark.parametrize("name", registry.dataset_names())
def test_every_data_set_has_synthetic_data_that_pass_its_own_card(name: str) -> None:
    card = replace(registry.load("dataset", name).CARD, slots=96)
    made = importlib.import_module("datasets._synthetic").generate(card)
    assert canonical(card, made, "synthetic-1").identity.synthetic


# ---------------------------------------------------------------- names, cards, folders


def test_unknown_names_suggest_the_nearest(catalog: Catalog) -> None:
    for ask in (catalog.card, catalog.load, catalog.identity, catalog.verify):
        with pytest.raises(UnknownNameError, match="did you mean 'bikedc'"):
            ask("bikedcc")
    for name in ("../bikedc", "", ".", "/etc"):
        with pytest.raises(UnknownNameError):
            catalog.load(name)


def test_an_unknown_name_is_answered_with_the_data_folder_that_was_looked_in(catalog: Catalog) -> None:
    assert catalog.data_dir
    folder = own_array(catalog).parent
    inside = Catalog(data_dir=folder, cache=catalog.cache)
    assert str(catalog.unknown("city")).endswith(
        f"; imported data sets were looked for in the data folder {folder.parent}"
    )
    with pytest.raises(UnknownNameError, match="; imported data sets lie in a data folder, and there is none here"):
        Catalog(data_dir=None, cache=catalog.cache).load("citybus")
    with pytest.raises(UnknownNameError, match=f"; {folder} is itself the .*: give {folder.parent} as the data folder"):
        inside.load("citybus")


def test_a_users_own_array_is_listed_and_loaded(catalog: Catalog) -> None:
    values = np.load(own_array(catalog).with_name("data.npz"))["data"]
    assert "citybus" in catalog.names()
    assert catalog.card("citybus").grid == (2, 3)
    assert catalog.has_real("citybus")
    for _ in range(2):
        data = catalog.load("citybus")
        np.testing.assert_array_equal(data.values, values)
        assert data.identity == catalog.identity("citybus")
        assert not data.identity.synthetic
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
        "import sys; from pathlib import Path; from bench.catalog.data import Catalog;"
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
        assert not catalog.identity(name).synthetic
    monkeypatch.setattr(Catalog, "_build", None)  # what is cached is not read again
    for name in names:
        assert not catalog.identity(name).synthetic
