"""Lines of a frame that was sorted."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    hours = ["2024-03-01T01:00", "2024-03-01T00:00"]
    lines = pd.DataFrame({"time": hours * 2, "node": ["a", "a", "b", "b"], "speed": [3, 1, 4, 2]})
    lines.sort_values("time", kind="stable").to_parquet(folder / "a.parquet")
    return folder / "a.parquet"
