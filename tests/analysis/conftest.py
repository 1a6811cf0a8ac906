"""Tests of tables and figures know models and data sets by the names of commands, unless they say ``TITLES = True``."""

from __future__ import annotations

import pytest

from bench.catalog import titles


@pytest.fixture(autouse=True)
def no_titles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no plug-in had a title."""
    if not getattr(request.module, "TITLES", False):
        monkeypatch.setattr(titles, "_of_file", lambda _: "")
        monkeypatch.setattr(titles, "_of_card", lambda _: "")
