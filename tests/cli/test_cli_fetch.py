"""'stbench data fetch': what it downloads, keeps and leaves alone, and what it says where there is no address."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commands import Shell

from bench.catalog import registry
from bench.cli import fetch_data as cli_fetch
from bench.errors import ConfigError, DataError, UnknownNameError
from bench.types import RawFile


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """No network: each download writes bikedc's array, or nonsense for 'bad', and is noted; 'dead' is out of reach."""
    made: list[Path] = []

    def fetch(file: RawFile, folder: Path, progress: object) -> Path:
        if "dead" in str(file.url):
            raise DataError(f"{file.url} cannot be reached")
        if not (folder / file.name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            np.save(folder / file.name, np.ones((2 if "bad" in str(file.url) else 1440, 20, 20), dtype=np.int8))
            made.append(folder / file.name)
        return folder / file.name

    real = cli_fetch.importlib.import_module
    fake = SimpleNamespace(fetch=fetch)

    def import_module(name: str, package: str | None = None) -> object:
        return fake if name == "datasets._fetch" else real(name, package)

    monkeypatch.setattr(cli_fetch.importlib, "import_module", import_module)
    return made


def publish(monkeypatch: pytest.MonkeyPatch, name: str, *files: RawFile) -> None:
    module = registry.load("dataset", name)
    monkeypatch.setattr(module, "CARD", dataclasses.replace(module.CARD, files=files))


def test_fetch_downloads_what_has_an_address_and_reads_it(
    shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "bikedc", RawFile(name="BikeDC.npy", url="https://x/a"), RawFile(name="by_hand.npz"))
    for _ in range(2):
        assert "✓ bikedc: BikeDC.npy in mine/bikedc" in shell.prints("fetch", "bikedc", "--data-dir", "mine")
    assert downloads == [Path("mine/bikedc/BikeDC.npy")]


@pytest.mark.parametrize("digest", [None, "0" * 64])
def test_fetch_keeps_nothing_unreadable_that_no_digest_vouches_for(
    digest: str | None, shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "bikedc", RawFile(name="BikeDC.npy", url="https://bad/a", sha256=digest))
    text = shell.prints("fetch", "bikedc", code=1)
    assert "✓" not in text
    assert "✗ bikedc: what is there cannot be used (data/bikedc/BikeDC.npy" in text
    assert ("BikeDC.npy was removed again" in text) == (digest is None)
    assert downloads[0].exists() == (digest is not None)


def test_fetch_says_to_delete_an_unreadable_file_that_was_there(
    shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "bikedc", RawFile(name="BikeDC.npy", url="https://x/a"))
    Path("data/bikedc").mkdir(parents=True)
    for name in ("BikeDC.npy", "other.npy"):  # what has an address; a layout of the user's own
        Path("data/bikedc", name).write_text("<html>")
        text = shell.prints("fetch", "bikedc", code=1)
        assert "✓" not in text
        assert "delete what is wrong in data/bikedc" in text
        assert Path("data/bikedc", name).read_text() == "<html>"
    assert downloads == []


@pytest.mark.parametrize("words", [("fetch", "nope"), ("fetch", "bikedc", "taxibij")])
def test_fetch_of_an_unknown_name_leaves_no_folder_and_downloads_nothing(
    words: tuple[str, ...], shell: Shell, downloads: list[Path]
) -> None:
    shell.refuses(*words, error=UnknownNameError)
    assert list(Path().iterdir()) == []
    assert downloads == []


def test_fetch_says_what_to_get_from_where_when_there_is_no_address(shell: Shell, downloads: list[Path]) -> None:
    text = shell.prints("fetch", "taxibj", code=1)
    card = registry.load("dataset", "taxibj").CARD
    assert " ".join(card.how_to_get.split()) in text
    assert "folder: data/taxibj" in text
    assert downloads == []
    assert list(Path().iterdir()) == []


def test_fetch_leaves_no_folder_where_nothing_came(
    shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "bikedc", RawFile(name="BikeDC.npy", url="https://dead/a"))
    shell.prints("fetch", "bikedc", code=1)
    assert list(Path().iterdir()) == []
    Path("data/mine").mkdir(parents=True)
    assert "no data sets: mine in data; " in shell.prints("list")
    told = shell.prints("verify")
    assert "not here: bikedc, " in told
    assert "no data sets: mine in data; " in told


def test_fetch_leaves_files_of_another_layout_alone(
    shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, "bikedc", RawFile(name="a.npz", url="https://x/a"))
    Path("data/bikedc").mkdir(parents=True)
    np.save("data/bikedc/BikeDC.npy", np.ones((1440, 20, 20), dtype=np.int8))
    assert "✓ bikedc: files are in data/bikedc already" in shell.prints("fetch", "bikedc")
    assert downloads == []


def test_fetch_is_content_with_nothing_that_verify_calls_changed(
    shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(
        monkeypatch, "bikedc", RawFile(name="a.npz", url="https://x/a"), RawFile(name="BikeDC.npy", sha256="0" * 64)
    )
    Path("data/bikedc").mkdir(parents=True)
    np.save("data/bikedc/BikeDC.npy", np.ones((1440, 20, 20), dtype=np.int8))
    assert "changed" in shell.prints("verify", "bikedc", code=1)
    text = shell.prints("fetch", "bikedc", code=1)
    assert "✗ bikedc: BikeDC.npy is not what the card says (another sha256); get the official file" in text
    assert "✓" not in text
    assert downloads == []


def test_fetch_goes_on_after_a_dead_address_and_exits_with_1(
    shell: Shell, downloads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in registry.dataset_names():
        publish(monkeypatch, name)
    publish(monkeypatch, "bikenyc", RawFile(name="a.npz", url="https://dead/a"))
    publish(monkeypatch, "bikedc", RawFile(name="BikeDC.npy", url="https://x/a"))
    text = shell.prints("fetch", "--all", code=1)
    assert "✗ bikenyc: https://dead/a cannot be reached" in text
    assert downloads == [Path("data/bikedc/BikeDC.npy")]


@pytest.mark.parametrize("words", [(), ("taxibj", "--all")])
def test_fetch_wants_either_names_or_all(words: tuple[str, ...], shell: Shell) -> None:
    assert "wants names of data sets, or --all" in shell.refuses("fetch", *words, error=ConfigError)
    assert not Path("data").exists()
