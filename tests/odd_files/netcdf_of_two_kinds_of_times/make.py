"""When a forecast was made, and for when."""

from pathlib import Path

import pandas as pd
import xarray as xr


def make(folder: Path) -> Path:
    times = pd.date_range("2024-03-01", periods=2, freq="h")
    coords = {"time": ("step", times), "valid_time": ("step", times + pd.Timedelta("6h"))}
    array = xr.DataArray([[1.0, 2.0], [3.0, 4.0]], dims=("step", "node"), coords=coords, name="speed")
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
