"""Whole numbers with a factor and a mark of missing values."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    times = np.array(["2024-03-01T00", "2024-03-01T01"], dtype="datetime64[ns]")
    values = xr.DataArray(
        [[[0.5, 1.0]], [[np.nan, 2.0]]], dims=("time", "lat", "lon"), coords={"time": times}, name="rain"
    )
    values.to_netcdf(folder / "odd.nc", encoding={"rain": {"dtype": "int16", "scale_factor": 0.5, "_FillValue": -9}})
    return folder / "odd.nc"
