"""Times without a zone in a column whose name says it."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    times = pd.date_range("2024-03-01", periods=2, freq="h")
    pd.DataFrame({"time_utc": times, "r0c0": [1.0, 2.0], "r0c1": [3.0, 4.0]}).to_parquet(folder / "a.parquet")
    return folder / "a.parquet"
