"""A real browser for tests: Chromium without a window, that may load nothing but files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from debian import found_or_installed

NAMES = ("chromium", "chromium-browser", "google-chrome", "msedge")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> Path:
    """Where a Chromium is; a test that finds none is skipped."""
    found = found_or_installed("chromium", _found)
    return found or pytest.skip(f"no browser: install one of {', '.join(NAMES)} (on Debian: apt install chromium)")


def _found() -> Path | None:
    return next((Path(path) for name in NAMES if (path := shutil.which(name))), None)


@contextmanager
def page_of(browser: Any, path: Path, width: int = 1280) -> Iterator[Any]:
    """A page that shows a file; at its end nothing may have been asked of a network, and nothing complained about."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    troubles: list[str] = []
    page.on("console", lambda message: troubles.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: None if _allowed(request.url, path) else troubles.append(request.url))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert troubles == []


def _allowed(url: str, path: Path) -> bool:
    return url.startswith("data:") or url.partition("#")[0] == path.as_uri()
