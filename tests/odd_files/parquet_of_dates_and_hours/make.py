"""Times in two columns."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    frame = pd.DataFrame({"date": ["2024-03-01"] * 2, "hour": [0, 1], "r0c0": [1.0, 2.0], "r0c1": [3.0, 4.0]})
    frame.to_parquet(folder / "a.parquet")
    return folder / "a.parquet"
