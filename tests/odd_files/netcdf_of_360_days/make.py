"""Times of a calendar that has no 31st."""

from pathlib import Path

import numpy as np
import xarray as xr


def make(folder: Path) -> Path:
    values = xr.DataArray(np.ones((2, 1, 2)), dims=("time", "y", "x"), name="v").to_dataset()
    values["time"] = ("time", [0, 1], {"units": "hours since 2000-02-30", "calendar": "360_day"})
    values.to_netcdf(folder / "odd.nc")
    return folder / "odd.nc"
