"""Raises an error of 50 MB."""

from __future__ import annotations

from pathlib import Path

from _card import card

from bench.types import RawSeries

EXPECTED = "ended with ValueError: (aaaaaaaa )+a*… .50,000,004 characters.; mend its file"
CARD = card("long_text_of_data")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    raise ValueError("aaaaaaaa " * 5_555_556)
