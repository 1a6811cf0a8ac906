"""Commands that only look, which make no results folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def cache_in(results: Path, *, looking: bool = True) -> Iterator[Path]:
    """The folder of the caches in a results folder; where that is not there, and is only looked at, one for a while."""
    if results.exists() or not looking:
        yield results / "cache"
        return
    with TemporaryDirectory() as folder:
        yield Path(folder)
