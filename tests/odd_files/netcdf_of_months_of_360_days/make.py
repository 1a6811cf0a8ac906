"""A value for each month of a calendar in which every month has 30 days."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    days = xr.DataArray([15, 45, 75], dims="time", attrs={"units": "days since 2024-01-01", "calendar": "360_day"})
    values = xr.DataArray(np.arange(1.0, 7.0).reshape(3, 1, 2), dims=("time", "y", "x"), coords={"time": days})
    values.rename("v").to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
