"""A value for each month, at its begin."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    times = np.array(["2023-12", "2024-01", "2024-02"], dtype="datetime64[M]").astype("datetime64[ns]")
    values = np.arange(1.0, 7.0).reshape(3, 1, 2)
    array = xr.DataArray(values, dims=("time", "y", "x"), coords={"time": times}, name="v")
    array.to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
