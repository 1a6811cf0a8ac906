"""Its card is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from _card import card, series

from bench.types import RawSeries

EXPECTED = "CARD in .*wrong_card.py is not as bench.types.DatasetCard says: Expected .int., got .str. - at .*slots"
CARD = replace(card("wrong_card"), slots="many")
VERSION = 1


def read(folder: Path) -> RawSeries:
    return make()


def make() -> RawSeries:
    return series()
