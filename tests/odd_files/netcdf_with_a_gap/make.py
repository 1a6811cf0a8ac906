"""One hour is left out."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    times = np.array(["2024-03-01T00", "2024-03-01T02"], dtype="datetime64[ns]")
    values = xr.DataArray(np.ones((2, 1, 2)), dims=("time", "y", "x"), coords={"time": times}, name="v")
    values.to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
