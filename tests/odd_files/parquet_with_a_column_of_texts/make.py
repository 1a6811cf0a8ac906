"""A column of texts beside the values."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    pd.DataFrame({"r0c0": [1.0], "r0c1": [2.0], "name": ["a"]}).to_parquet(folder / "odd.parquet")
    return folder / "odd.parquet"
