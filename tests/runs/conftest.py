"""Fixtures of the tests of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile import install

from bench.catalog import registry


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Registers a model as an installed package would."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def register(name: str, text: str) -> None:
        install(folder, name, text)
        registry._plugins.cache_clear()

    yield register
    registry._plugins.cache_clear()
