"""A group."""

from pathlib import Path

import pandas as pd
import xarray as xr


def make(folder: Path) -> Path:
    data = xr.Dataset(
        {"speed": (("time", "node"), [[1.0, 2.0], [3.0, 4.0]])},
        coords={"time": pd.date_range("2024-03-01", periods=2, freq="h")},
    )
    data.to_zarr(folder / "a.zarr", group="obs", consolidated=False)
    return folder / "a.zarr"
