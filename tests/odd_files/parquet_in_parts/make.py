"""A folder, as Spark and partition_cols of pandas make it."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    lines = pd.DataFrame({"time": ["2024-03-01T00:00"] * 2, "node": ["a", "b"], "value": [1.0, 2.0]})
    lines.to_parquet(folder / "a.parquet", partition_cols=["node"])
    return folder / "a.parquet"
