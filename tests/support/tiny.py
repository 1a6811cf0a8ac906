"""A data folder with two tiny data sets of the user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from builders import make_data

CARD = """
name = "{name}"
interval = 30
grid = [3, 4]
channels = ["in", "out"]
start = "2020-01-06T00:00"
title = "Tiny city"
unit = "trips"
"""


def make_tiny(scratch: Path) -> Path:
    """The folder ``data``, with ``tiny`` and ``tiny2``."""
    from bench.catalog.importing import import_array

    folder = scratch / "data"
    folder.mkdir()
    values = make_data(slots=400).values
    for number, name in enumerate(("tiny", "tiny2")):
        np.save(scratch / f"{name}.npy", values + number)
        card = scratch / f"{name}.toml"
        card.write_text(CARD.format(name=name), encoding="utf-8")
        import_array(scratch / f"{name}.npy", card, folder)
    return folder
