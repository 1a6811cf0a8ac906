"""A Parquet file without its end."""

from pathlib import Path

import pandas as pd


def make(folder: Path) -> Path:
    pd.DataFrame({"time": ["2024-03-01"], "node": ["a"], "value": [1]}).to_parquet(folder / "odd.parquet")
    whole = (folder / "odd.parquet").read_bytes()
    (folder / "odd.parquet").write_bytes(whole[: len(whole) // 2])
    return folder / "odd.parquet"
