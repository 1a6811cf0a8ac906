"""Writes a frame whose index pandas keeps beside the columns."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    frame = pd.DataFrame({"r0c0": [1.0, 2, 3, 4], "r0c1": [5.0, 6, 7, 8]}).iloc[::-1]
    path = folder / "a.parquet"
    frame.to_parquet(path)
    return path
