"""A frame of which rows were dropped."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    pd.DataFrame({"r0c0": [1, 3, 5], "r0c1": [2, 4, 6]}, index=[0, 1, 3]).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"
