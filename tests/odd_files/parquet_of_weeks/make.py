"""A row for each week, named by its last day as pandas does."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    times = pd.date_range("2024-03-01", periods=2, freq="W")
    pd.DataFrame({"r0c0": [1.0, 3.0], "r0c1": [2.0, 4.0]}, index=times).to_parquet(folder / "odd.parquet")
    return folder / "odd.parquet"
