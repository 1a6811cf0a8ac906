"""What is known of files of pre-trained weights: digests and the revisions to fetch, from ``known_weights.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("known_weights.toml")
MOVING: Final = "main"  # the branch of a repository without a pinned revision


def revision_of(repository: str) -> str:
    """The commit of a repository that is fetched, or its main branch where none is pinned."""
    return next((entry["revision"] for entry in _entries() if _is_pin(entry, repository)), MOVING)


def known_digests(repository: str, file: str) -> Mapping[str, str]:
    """What each known sha256 of a file is of; empty where none is known."""
    return {entry["sha256"]: entry["what"] for entry in _of_file(repository, file) if "sha256" in entry}


def published_digest(repository: str, file: str, revision: str) -> str | None:
    """The sha256 of a file at a revision, where it is known."""
    entries = (entry for entry in _of_file(repository, file) if entry.get("revision") == revision)
    return next((entry["sha256"] for entry in entries if "sha256" in entry), None)


def _of_file(repository: str, file: str) -> Iterator[Mapping[str, str]]:
    return (entry for entry in _entries() if (entry["repository"], entry["file"]) == (repository, file))


def _is_pin(entry: Mapping[str, str], repository: str) -> bool:
    return entry["repository"] == repository and "revision" in entry


@cache
def _entries() -> tuple[Mapping[str, str], ...]:
    return tuple(tomllib.loads(FILE.read_text(encoding="utf-8"))["file"])
