"""Values in minutes."""

from pathlib import Path

import pandas as pd
import xarray as xr


def make(folder: Path) -> Path:
    coords = {"time": pd.date_range("2024-03-01", periods=2, freq="h")}
    array = xr.DataArray(
        [[1.0, 2.0], [3.0, 4.0]], dims=("time", "node"), coords=coords, name="way", attrs={"units": "minutes"}
    )
    array.to_netcdf(folder / "a.nc")
    return folder / "a.nc"
