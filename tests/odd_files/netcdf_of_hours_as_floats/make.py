"""Steps of five minutes, in hours since 1900."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr


def make(folder: Path) -> Path:
    times = pd.date_range("2024-03-01", periods=48, freq="5min")
    array = xr.DataArray(np.ones((48, 2)), dims=("time", "node"), coords={"time": times}, name="speed")
    encoding = {"time": {"units": "hours since 1900-01-01", "dtype": "float64"}}
    array.to_netcdf(folder / "a.nc", encoding=encoding)
    return folder / "a.nc"
