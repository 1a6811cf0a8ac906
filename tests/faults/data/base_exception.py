"""Raises what only ends of processes are."""

from __future__ import annotations

from pathlib import Path

from _card import card

from bench.types import RawSeries

EXPECTED = "the reader of .base_exception. raised what ends a process"
CARD = card("base_exception")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    raise BaseException("of the pier")
