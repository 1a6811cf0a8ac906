"""Parquet allows it; each row would come four times."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def make(folder: Path) -> Path:
    times = pa.array(["2024-03-01T00:00", "2024-03-01T01:00"])
    table = pa.table([times, pa.array([1.0, 3.0]), pa.array([2.0, 4.0])], names=["time", "a", "a"])
    pq.write_table(table, folder / "a.parquet")
    return folder / "a.parquet"
