"""Raises an error with orders to a terminal."""

from __future__ import annotations

from pathlib import Path

from _card import card

from bench.types import RawSeries

EXPECTED = "the reader of .raises. ended with ValueError: .*red. .nope. and . end; mend its file"
CARD = card("raises")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    raise ValueError("\x1b[2J\x1b[31mred\x07 [nope]\n and \x00 end")
