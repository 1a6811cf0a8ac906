"""Fixtures of the tests of data sets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from file_server import Server, serving

from bench import download


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of one file, which is asked again without a pause."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    with serving() as running:
        yield running
